import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createServices } from '#functions/security/services.ts';
import { newId } from '#shared/kernel/ids.ts';
import { sessionCollection } from '#shared/security/index.ts';
import { killAt } from '#tests/support/crashing.ts';
import { dumping } from '#tests/support/dump.ts';
import { appCode, mfaWorld, otherCode } from '#tests/support/mfa.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { mfaProfileCollection } from './mfa.schema.ts';
import { trustedDeviceCollection } from './trusted-device.schema.ts';

const twenty = <T>(call: (nth: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 20 }, (_, nth) => call(nth)));
const winners = (all: readonly Response[]) => all.filter(({ status }) => status === 200).length;

describe.each(['embedded', 'firestore'] as const)('of twenty at once, on the %s store,', async (database) => {
  const runtime = await testRuntime({ database });
  const world = mfaWorld(runtime);
  const tenant = newId('t').toLowerCase().replace('_', '-');
  await world.tenant(tenant);
  const { mfa, withTotp, answer, services } = world;
  /** Without the password, whose hash would take all the time there is. */
  const challenged = async (email: string) => {
    const user = await services.users.findByEmail(tenant, email);
    if (user === undefined) throw new Error('The user is not there.');
    const result = await services.signIns.finish({ tenant, user, method: 'pwd', device: {} });
    if (result.status === 'complete') throw new Error('No second factor is asked for.');
    return result;
  };
  const now = () => runtime.clock.now();
  const sessionsOf = async (user: string) =>
    (
      await runtime.database
        .tenants(sessionCollection)
        .of(tenant)
        .query({ where: [{ field: 'user', op: '==', value: user }], limit: 100 })
    ).items.length;

  it('one signs in with one code of an app, each in a challenge of its own', async () => {
    const { email, secret, user } = await withTotp(tenant);
    const before = await sessionsOf(user);
    const challenges = await twenty(() => challenged(email));
    const code = appCode(secret, now());
    const all = await Promise.all(challenges.map(({ challenge }) => answer(challenge, { method: 'totp', code })));
    expect(winners(all)).toBe(1);
    expect(await sessionsOf(user)).toBe(before + 1);
  });

  it('one signs in with one challenge, and one device is trusted', async () => {
    const { email, secret, user } = await withTotp(tenant);
    const { challenge } = await challenged(email);
    const proof = { method: 'totp', code: appCode(secret, now()) };
    const all = await twenty(() => answer(challenge, proof, { trustDevice: true }));
    expect(winners(all)).toBe(1);
    const devices = await runtime.database
      .tenants(trustedDeviceCollection)
      .of(tenant)
      .query({ where: [{ field: 'user', op: '==', value: user }], limit: 100 });
    expect(devices.items).toHaveLength(1);
  });

  it('one signs in with one backup code', async () => {
    const { email, key } = await withTotp(tenant);
    const made = await (await mfa('/backup-codes', undefined, key)).json();
    const [code = ''] = z.object({ codes: z.array(z.string()) }).parse(made).codes;
    const challenges = await twenty(() => challenged(email));
    const all = await Promise.all(
      challenges.map(({ challenge }) => answer(challenge, { method: 'backup-code', code })),
    );
    expect(winners(all)).toBe(1);
  });

  it('no more than five are told that their guess is wrong', async () => {
    const { email, secret } = await withTotp(tenant);
    const challenges = await twenty(() => challenged(email));
    const code = otherCode(appCode(secret, now()));
    const all = await Promise.all(challenges.map(({ challenge }) => answer(challenge, { method: 'totp', code })));
    expect(all.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(all.filter(({ status }) => status === 429 || status === 409)).toHaveLength(15);
  });
});

describe.each(['before', 'after'] as const)('an answer whose process dies just %s any call', (when) => {
  it('has opened a session and used its code up, or neither', async () => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const alive = await testRuntime({ driver });
      const world = mfaWorld(alive);
      await world.tenant('acme');
      const { email, secret, user } = await world.withTotp('acme');
      const { challenge } = await world.challenged('acme', email);
      const killer = killAt(at, when);
      const dying = createServices(await testRuntime({ driver: killer.driver(driver) }));
      const proof = { method: 'totp', code: appCode(secret, alive.clock.now()) } as const;
      const sessions = alive.database.tenants(sessionCollection).of('acme');
      const count = async () => (await sessions.query({ limit: 100 })).items.length;
      const [before, profile] = [await count(), alive.database.tenants(mfaProfileCollection).of('acme')];
      const step = (await profile.get(user))?.value.totps[0]?.lastStep ?? 0;
      await dying.mfaChallenges.verify(challenge, proof, { trustDevice: true, device: {} }).catch(() => undefined);
      const isUsed = ((await profile.get(user))?.value.totps[0]?.lastStep ?? 0) > step;
      expect(await count()).toBe(before + (isUsed ? 1 : 0));
      const again = await world.answer(challenge, proof);
      expect(again.status).toBe(isUsed ? 401 : 200);
      if (killer.calls() < at) return expect(at).toBeGreaterThan(3);
    }
  });
});

it('keeps no secret and no code in plain text', async () => {
  const driver = dumping(embeddedDriver());
  const runtime = await testRuntime({ driver });
  const world = mfaWorld(runtime);
  await world.tenant('acme');
  const { email, key, secret } = await world.withTotp('acme');
  const number = '+4930123456';
  const begun = await (await world.mfa('/phone', { number }, key)).json();
  const { enrolment } = z.object({ enrolment: z.string() }).parse(begun);
  const code = await world.codeTo(number);
  await world.mfa('/phone/confirm', { enrolment, code }, key);
  const made = await (await world.mfa('/backup-codes', undefined, key)).json();
  const { codes } = z.object({ codes: z.array(z.string()) }).parse(made);
  const { challenge } = await world.challenged('acme', email);
  await world.mfa('/challenge/send', { challenge, method: 'sms' });
  const sent = await world.codeTo(number);
  const stored = JSON.stringify([...(await driver.dump())]);
  const told = JSON.stringify(runtime.lines);
  for (const hidden of [secret, number, ...codes, challenge.split('.')[1] ?? '', `"${sent}"`]) {
    expect(stored).not.toContain(hidden);
    expect(told).not.toContain(hidden);
  }
});
