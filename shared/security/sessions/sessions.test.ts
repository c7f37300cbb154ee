import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { systemActor } from '../../kernel/actor.ts';
import { newId } from '../../kernel/ids.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { hashOf } from '../tokens/opaque-token.ts';
import type { Tokens } from './session.schema.ts';
import { type Session, sessionCollection } from './session.schema.ts';

const hour = 3_600_000;

describe.each(['embedded', 'firestore'] as const)('refresh tokens on the %s store', async (database) => {
  const runtime = await testRuntime({ database });
  const { sessions, users } = createServices(runtime);
  const { clock } = runtime;
  const tenant = newId('t').toLowerCase().replace('_', '-');
  await runtime.tenants.ensure(tenant, { name: tenant });

  const signedIn = async (): Promise<Tokens> => {
    const email = `${newId('p').toLowerCase()}@example.com`;
    const { id } = await users.create(tenant, { email, emailVerified: true, roles: ['member'] });
    const user = await users.findByEmail(tenant, email);
    if (user?.id !== id) throw new Error('The user is not there.');
    return sessions.open(tenant, user, { methods: ['pwd'], device: {} });
  };
  const stored = async (id: string): Promise<Session | undefined> =>
    (await runtime.database.tenants(sessionCollection).of(tenant).get(id))?.value;
  const outcomes = async (calls: readonly Promise<Tokens>[]) => {
    const settled = await Promise.allSettled(calls);
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.refreshToken] : []));
  };

  it('are good once, each giving the next', async () => {
    const first = await signedIn();
    const second = await sessions.refresh(first.refreshToken, undefined);
    const third = await sessions.refresh(second.refreshToken, undefined);
    expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    expect(third.session).toBe(first.session);
  });

  it('are stored by the hash of the last one alone', async () => {
    const { refreshToken, session } = await signedIn();
    const text = JSON.stringify(await stored(session));
    const secret = refreshToken.split('.')[2]?.slice(0, 43) ?? '';
    expect(text).toContain(hashOf(secret));
    expect(text).not.toContain(secret);
  });

  it('that come again end the whole family', async () => {
    const first = await signedIn();
    const second = await sessions.refresh(first.refreshToken, undefined);
    await expect(sessions.refresh(first.refreshToken, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(sessions.refresh(second.refreshToken, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await stored(first.session)).toMatchObject({ revokedFor: 'reuse' });
  });

  it('have one winner of twenty at once, and then no session, because twenty hold one token', async () => {
    const first = await signedIn();
    const won = await outcomes(Array.from({ length: 20 }, () => sessions.refresh(first.refreshToken, undefined)));
    expect(won).toHaveLength(1);
    expect(await stored(first.session)).toMatchObject({ revokedFor: 'reuse' });
    await expect(sessions.refresh(won[0] ?? '', undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('have one successor for twenty repetitions of one request', async () => {
    const first = await signedIn();
    const request = 'a-request-of-this-client';
    const won = await outcomes(Array.from({ length: 20 }, () => sessions.refresh(first.refreshToken, request)));
    expect(won).toHaveLength(20);
    expect(new Set(won).size).toBe(1);
    expect((await sessions.refresh(won[0] ?? '', undefined)).session).toBe(first.session);
  });

  it.each([
    ['by another request', 'another-request-of-it', 0],
    ['without its request', undefined, 0],
    ['later than ten seconds', 'a-request-of-this-client', 10_001],
  ])('that are repeated %s end the family', async (_what, again, after) => {
    const first = await signedIn();
    await sessions.refresh(first.refreshToken, 'a-request-of-this-client');
    clock.advance(after);
    await expect(sessions.refresh(first.refreshToken, again)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await stored(first.session)).toMatchObject({ revokedFor: 'reuse' });
  });

  it('that never were can not end a session: its id is no secret', async () => {
    const first = await signedIn();
    const [head, id] = first.refreshToken.split('.');
    for (const text of [`${head}.${id}.${'x'.repeat(65)}`, `${head}.ses_nobody.${'x'.repeat(65)}`, 'omr_', 'x']) {
      await expect(sessions.refresh(text, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    expect((await sessions.refresh(first.refreshToken, undefined)).session).toBe(first.session);
  });

  it('end after twelve hours without use, and thirty days in any case', async () => {
    let tokens = await signedIn();
    const idle = await signedIn();
    for (let passed = 0; passed < 30 * 24 * hour - 11 * hour; passed += 11 * hour) {
      clock.advance(11 * hour);
      tokens = await sessions.refresh(tokens.refreshToken, undefined);
      if (passed > 2 * hour) {
        await expect(sessions.refresh(idle.refreshToken, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
      }
    }
    clock.advance(11 * hour);
    await expect(sessions.refresh(tokens.refreshToken, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe.each(['before', 'after'] as const)('a refresh whose process dies just %s any call', (when) => {
  it('is answered when it is repeated, and leaves one session with one live token', async () => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const alive = await testRuntime({ driver });
      const { sessions, users } = createServices(alive);
      await alive.tenants.ensure('acme', { name: 'Acme' });
      await users.create('acme', { email: 'ada@example.com', emailVerified: true, roles: [] });
      const user = await users.findByEmail('acme', 'ada@example.com');
      if (user === undefined) throw new Error('The user is not there.');
      const first = await sessions.open('acme', user, { methods: ['pwd'], device: {} });

      const killer = killAt(at, when);
      const dying = createServices(await testRuntime({ driver: killer.driver(driver) }));
      const request = 'a-request-of-this-client';
      await dying.sessions.refresh(first.refreshToken, request).catch(() => undefined);
      const repeated = await sessions.refresh(first.refreshToken, request);
      expect(repeated.session).toBe(first.session);
      expect((await sessions.refresh(repeated.refreshToken, undefined)).session).toBe(first.session);
      const all = await alive.database.tenants(sessionCollection).of('acme').query({ limit: 10 });
      expect(all.items).toHaveLength(1);
      if (killer.calls() < at) return expect(at).toBeGreaterThan(3);
    }
  });
});

describe('a warm request', () => {
  it('of somebody who is signed in reads nothing from the store', async () => {
    let reads = 0;
    const driver = embeddedDriver();
    const runtime = await testRuntime({
      driver: {
        ...driver,
        get: (keys) => {
          reads += 1;
          return driver.get(keys);
        },
        query: (collection, query) => {
          reads += 1;
          return driver.query(collection, query);
        },
      },
    });
    const { sessions, users, roles } = createServices(runtime);
    await runtime.tenants.ensure('acme', { name: 'Acme' });
    await roles.put(systemActor('acme', 'test'), 'reader', { scopes: ['ai:read'] });
    const email = 'ada@example.com';
    await users.create('acme', { email, emailVerified: true, roles: ['member', 'reader'] });
    const user = await users.findByEmail('acme', email);
    if (user === undefined) throw new Error('The user is not there.');
    const { accessToken } = await sessions.open('acme', user, { methods: ['pwd'], device: {} });
    const principal = await runtime.http.authenticate(accessToken);
    expect(principal?.actor).toMatchObject({ kind: 'user', id: user.id, tenant: 'acme' });
    const before = reads;
    for (let i = 0; i < 100; i += 1) expect(await runtime.http.authenticate(accessToken)).toBe(principal);
    expect(reads).toBe(before);
    runtime.clock.advance(30_000);
    await Promise.all(Array.from({ length: 20 }, () => runtime.http.authenticate(accessToken)));
    // Session, user, tenant and own roles, once for all who ask.
    expect(reads - before).toBeLessThanOrEqual(6);
  });
});
