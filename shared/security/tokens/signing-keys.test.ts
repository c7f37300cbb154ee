import { describe, expect, it } from 'vitest';
import { impersonalAudit } from '#tests/support/auditing.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { platformTenant } from '../../kernel/event.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { auditEntryCollection } from '../audit/audit-entry.schema.ts';
import { tokenIssuer, tokenVerifier } from './access-tokens.ts';
import type { Protector } from './protector.ts';
import { signingKeyCollection } from './signing-key.schema.ts';
import { createSigningKeys, type SigningKeys } from './signing-keys.ts';

/** Turns the text round, so that a test sees that it went through. */
const protector: Protector = {
  protect: async (text, context) => `${context}|${[...text].reverse().join('')}`,
  unprotect: async (sealed, context) => {
    const [own, text = ''] = sealed.split('|');
    if (own !== context) throw new Error('It was protected for something else.');
    return [...text].reverse().join('');
  },
};

const day = 24 * 3_600_000;
const names = { issuer: 'https://omni.example', audience: 'omni' };
const subject = { sub: 'usr_1', client_id: 'omni', tenant: 'acme', sid: 'ses_1', roles: [], epoch: 0 };

const instance = (database: Database, clock = manualClock()): SigningKeys =>
  createSigningKeys({
    database,
    keys: database.platform(signingKeyCollection),
    protector,
    audit: impersonalAudit(database, clock),
    clock,
  });

/** The platform's own audit log, the oldest first. */
const deeds = async (database: Database) =>
  (
    await database
      .tenants(auditEntryCollection)
      .of(platformTenant)
      .query({ orderBy: { field: 'at', order: 'asc' }, limit: 100 })
  ).items.map(({ value: { action, actor, target } }) => [action, actor.kind, target.id]);

describe.each([
  ['the embedded store', (now: () => number) => embeddedDatabase({ now })],
  ['Firestore', (now: () => number) => testDatabase({ now })],
])('signing keys on %s', (_name, open) => {
  it('begin as one, though twenty instances need the first at once', async () => {
    const database = open(manualClock().now);
    const instances = Array.from({ length: 20 }, () => instance(database));
    const all = await Promise.all(instances.map((one) => one.current()));
    expect(new Set(all.map(({ kid }) => kid))).toEqual(new Set(['ed25519-1']));
    expect(new Set(all.map(({ key }) => JSON.stringify(key.export({ format: 'jwk' })))).size).toBe(1);
    expect(await instance(database).published()).toHaveLength(1);
    expect(await deeds(database)).toEqual([['security.signing-key.created', 'system', 'ed25519-1']]);
  });

  it('are followed by one, though twenty instances rotate at once', async () => {
    const clock = manualClock();
    const database = open(clock.now);
    await instance(database, clock).current();
    clock.advance(day);
    const rotate = () => instance(database, clock).rotate({ olderThan: day });
    expect(new Set(await Promise.all(Array.from({ length: 20 }, rotate)))).toEqual(new Set(['ed25519-2']));
    expect((await instance(database, clock).published()).map(({ kid }) => kid)).toEqual(['ed25519-1', 'ed25519-2']);
    expect((await deeds(database)).slice(1)).toEqual([['security.signing-key.rotated', 'system', 'ed25519-2']]);
  });
});

describe('a rotation', () => {
  const start = async () => {
    const clock = manualClock();
    const database = embeddedDatabase({ now: clock.now });
    const keys = instance(database, clock);
    await keys.current();
    return { clock, database, keys };
  };

  it('publishes the next key before it signs, and keeps the last until its tokens have ended', async () => {
    const { clock, keys } = await start();
    const issue = tokenIssuer({ ...names, current: keys.current, newId, clock });
    const verify = tokenVerifier({ ...names, load: keys.published, clock });
    await keys.rotate({ olderThan: 0 });
    // Whoever took the keys just before the rotation has them anew when the next one first signs.
    for (let minute = 0; minute < 60; minute += 1) {
      const { accessToken } = await issue(subject);
      expect(await verify(accessToken)).toBeDefined();
      clock.advance(599_000);
      expect(await verify(accessToken)).toBeDefined();
      clock.advance(-599_000 + 60_000);
    }
    expect((await keys.current()).kid).toBe('ed25519-2');
    expect((await keys.published()).map(({ kid }) => kid)).toEqual(['ed25519-2']);
  });

  it('is made only when the newest key is old enough, so that a tick that comes twice makes one', async () => {
    const { clock, keys } = await start();
    clock.advance(30 * day);
    expect(await keys.rotate({ olderThan: 30 * day })).toBe('ed25519-2');
    expect(await keys.rotate({ olderThan: 30 * day })).toBe('ed25519-2');
  });

  it('stores the private key protected, for its id alone', async () => {
    const { database, keys } = await start();
    const { key } = await keys.current();
    const { d } = key.export({ format: 'jwk' });
    const stored = await database.platform(signingKeyCollection).get('ed25519-1');
    expect(stored?.value.privateKey).toMatch(/^signing-key:ed25519-1\|/);
    expect(JSON.stringify(stored)).not.toContain(d);
  });

  it.each(['before', 'after'] as const)('that dies just %s any call leaves keys that sign and verify', async (when) => {
    for (let at = 1; ; at += 1) {
      const clock = manualClock();
      const driver = embeddedDriver();
      await instance(databaseOn(driver, { now: clock.now }), clock).current();
      const killer = killAt(at, when);
      await instance(databaseOn(killer.driver(driver), { now: clock.now }), clock)
        .rotate({ olderThan: 0 })
        .catch(() => undefined);
      const alive = instance(databaseOn(driver, { now: clock.now }), clock);
      const verify = tokenVerifier({ ...names, load: alive.published, clock });
      await alive.rotate({ olderThan: 60_000 });
      // Each key that there is was told of once, and none that there is not.
      const told = (await deeds(databaseOn(driver, { now: clock.now }))).map(([, , kid]) => kid);
      expect(told.toSorted()).toEqual((await alive.published()).map(({ kid }) => kid));
      for (const minutes of [0, 20, 20]) {
        clock.advance(minutes * 60_000);
        const issue = tokenIssuer({ ...names, current: alive.current, newId, clock });
        expect(await verify((await issue(subject)).accessToken)).toBeDefined();
      }
      if (killer.calls() < at) return expect(at).toBeGreaterThan(2);
    }
  });
});
