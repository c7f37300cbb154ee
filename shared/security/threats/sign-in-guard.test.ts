import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { systemActor } from '../../kernel/actor.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { SignInAttempt } from '../sessions/sign-in.service.ts';
import { guardCollection } from './guard.schema.ts';

const account = sha256('ada@example.com');
const minute = 60_000;

const attempt = (change: Partial<SignInAttempt['device']> = {}, of = account): SignInAttempt => ({
  tenant: 'acme',
  account: of,
  method: 'pwd',
  device: { ip: '203.0.113.7', ...change },
});

/** How many get through, and how long the others are told to wait. */
const outcomes = async (calls: readonly Promise<unknown>[]) => {
  const settled = await Promise.allSettled(calls);
  const refused = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  for (const error of refused) if (!isOmniError(error, 'rate-limited')) throw error;
  return { admitted: settled.length - refused.length, waits: refused.map(({ retryAfter }) => retryAfter) };
};

describe.each(['embedded', 'firestore'] as const)('attempts to sign in, on %s', async (database) => {
  const runtime = await testRuntime({ database });
  const { guard, sessions, users } = createServices(runtime);
  await runtime.tenants.ensure('acme', { name: 'Acme' });
  const admit = async (one: SignInAttempt): Promise<void> => {
    await guard.admit(one);
  };
  let people = 0;
  const somebody = () => {
    people += 1;
    return sha256(`person-${people}@example.com`);
  };

  it('are ten, of twenty at once and of any after them', async () => {
    const of = somebody();
    const { admitted, waits } = await outcomes(Array.from({ length: 20 }, () => admit(attempt({}, of))));
    expect(admitted).toBe(10);
    expect(waits).toEqual(Array.from({ length: 10 }, () => 900));
    expect(await outcomes([admit(attempt({}, of))])).toMatchObject({ admitted: 0 });
  });

  it('are ten of twenty instances at once as well', async () => {
    const of = somebody();
    const instances = Array.from({ length: 20 }, () => createServices(runtime).guard);
    const { admitted } = await outcomes(instances.map((one) => one.admit(attempt({}, of))));
    expect(admitted).toBe(10);
  });

  it('are counted by network: neighbours share them, others have their own', async () => {
    const of = somebody();
    await outcomes(Array.from({ length: 10 }, (_, i) => admit(attempt({ ip: `203.0.113.${i + 1}` }, of))));
    await expect(admit(attempt({ ip: '203.0.113.200' }, of))).rejects.toMatchObject({ code: 'rate-limited' });
    await expect(admit(attempt({ ip: '203.0.114.1' }, of))).resolves.toBeUndefined();
    await outcomes(Array.from({ length: 10 }, (_, i) => admit(attempt({ ip: `2001:db8:1:2::${i + 1}` }, of))));
    await expect(admit(attempt({ ip: '2001:db8:1:2:ffff::1' }, of))).rejects.toMatchObject({ code: 'rate-limited' });
    await expect(admit(attempt({ ip: '2001:db8:1:3::1' }, of))).resolves.toBeUndefined();
  });

  it('come back one by one, each 15 minutes after it was made', async () => {
    const of = somebody();
    for (let i = 0; i < 10; i += 1) {
      await admit(attempt({}, of));
      runtime.clock.advance(minute);
    }
    await expect(admit(attempt({}, of))).rejects.toMatchObject({ code: 'rate-limited', retryAfter: 5 * 60 });
    runtime.clock.advance(5 * minute);
    await expect(admit(attempt({}, of))).resolves.toBeUndefined();
    await expect(admit(attempt({}, of))).rejects.toMatchObject({ code: 'rate-limited', retryAfter: 60 });
  });

  it('are not given back by a clock that is set back', async () => {
    const of = somebody();
    await outcomes(Array.from({ length: 10 }, () => admit(attempt({}, of))));
    runtime.clock.advance(-10 * minute);
    await expect(admit(attempt({}, of))).rejects.toMatchObject({ code: 'rate-limited' });
    runtime.clock.advance(10 * minute);
  });

  it('leave the owner alone on a device on which they have signed in', async () => {
    const { id } = await users.create('acme', { email: 'eve@example.com', emailVerified: true, roles: [] });
    const user = await users.findByEmail('acme', 'eve@example.com');
    if (user?.id !== id) throw new Error('The user is not there.');
    const { knownDevice = '' } = await sessions.open('acme', user, { methods: ['pwd'], device: {} });
    expect(knownDevice).toMatch(/^omd_/);
    const of = sha256('eve@example.com');
    await outcomes(Array.from({ length: 20 }, () => admit(attempt({}, of))));
    // The attacker is in the owner's own network, and has the owner's device's number of attempts not touched.
    const own = await outcomes(Array.from({ length: 20 }, () => admit(attempt({ knownDevice }, of))));
    expect(own.admitted).toBe(10);
    // It is nobody else's key, and one that was made up is none.
    const other = somebody();
    await outcomes(Array.from({ length: 10 }, () => admit(attempt({}, other))));
    for (const token of [knownDevice, `omd_${'x'.repeat(43)}`, 'omd_', 'nonsense']) {
      await expect(admit(attempt({ knownDevice: token }, other))).rejects.toMatchObject({ code: 'rate-limited' });
    }
    const again = await sessions.open('acme', user, { methods: ['pwd'], device: { knownDevice } });
    expect(again.knownDevice).toBeUndefined();
    const stored = await runtime.database.tenants(guardCollection).of('acme').query({ limit: 1_000 });
    expect(JSON.stringify(stored.items)).not.toContain(knownDevice.slice(4));
  });

  it('are a hundred a day of one address, whichever accounts they are on', async () => {
    const ip = '192.0.2.99';
    const fail = async () => {
      const one = attempt({ ip }, somebody());
      await admit(one);
      const write = await guard.failure(one, { password: 'wrong' });
      await runtime.database.transaction(write);
    };
    await Promise.all(Array.from({ length: 50 }, fail));
    await Promise.all(Array.from({ length: 50 }, fail));
    const error = await admit(attempt({ ip }, somebody())).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'rate-limited' });
    const day = 86_400_000;
    expect(error).toHaveProperty('retryAfter', Math.ceil((day - (runtime.clock.now() % day)) / 1_000));
    await expect(admit({ tenant: 'acme', method: 'hwk', device: { ip } })).rejects.toMatchObject({
      code: 'rate-limited',
    });
    await expect(admit(attempt({ ip: '192.0.2.98' }, somebody()))).resolves.toBeUndefined();
    runtime.clock.advance(day);
    await expect(admit(attempt({ ip }, somebody()))).resolves.toBeUndefined();
  });

  it('are as many as the tenant’s policy says', async () => {
    const { policyService } = createServices(runtime);
    const actor = systemActor('acme', 'test');
    const { policy, revision } = await policyService.get(actor);
    const lockout = { ...policy.lockout, failures: 3, windowMinutes: 5 };
    const update = { policy: { ...policy, lockout }, expected: revision, address: undefined, force: false };
    await policyService.update(actor, update);
    const { guard: fresh } = createServices(runtime);
    const of = somebody();
    const calls = Array.from({ length: 20 }, () => fresh.admit(attempt({}, of)));
    expect(await outcomes(calls)).toMatchObject({ admitted: 3 });
    runtime.clock.advance(5 * minute);
    await expect(fresh.admit(attempt({}, of))).resolves.toMatchObject({ attempts: [] });
  });
});

describe('the guard', () => {
  it('reads once and writes once for an attempt, and writes nothing for one that it refuses', async () => {
    const calls: string[] = [];
    const driver = embeddedDriver();
    const runtime = await testRuntime({
      driver: {
        ...driver,
        get: (keys) => {
          calls.push('get');
          return driver.get(keys);
        },
        commit: (writes) => {
          calls.push('commit');
          return driver.commit(writes);
        },
      },
    });
    await runtime.tenants.ensure('acme', { name: 'Acme' });
    const { guard, policyService } = createServices(runtime);
    await policyService.of('acme');
    calls.length = 0;
    await guard.admit(attempt());
    expect(calls).toEqual(['get', 'commit']);
    for (let i = 1; i < 10; i += 1) await guard.admit(attempt());
    calls.length = 0;
    await expect(guard.admit(attempt())).rejects.toMatchObject({ code: 'rate-limited' });
    expect(calls).toEqual(['get']);
  });
});
