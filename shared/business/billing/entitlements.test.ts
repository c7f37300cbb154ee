import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { decide, type Entitlement } from './entitlements.ts';
import { newMeterSchema } from './meter.schema.ts';

/** A driver that counts what is asked of it. */
const counting = (driver: Driver) => {
  const calls = { count: 0 };
  const counted =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      calls.count += 1;
      return call(...args);
    };
  return {
    calls,
    driver: { ...driver, get: counted(driver.get), query: counted(driver.query), aggregate: counted(driver.aggregate) },
  };
};

const features = [
  { feature: 'sso', kind: 'switch' },
  { feature: 'projects', kind: 'limit', limit: 3 },
  { feature: 'calls', kind: 'usage', meter: 'calls', limit: 100 },
];

const setup = async () => {
  const clock = manualClock('2026-01-10T00:00:00Z');
  const { calls, driver } = counting(embeddedDriver());
  const world = billingOn(databaseOn(driver, { now: clock.now }), { clock });
  const actor = await world.tenant();
  await world.usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum' }));
  const price = await world.price(actor, { model: 'flat', amount: 100 }, {}, { features });
  const customer = (await world.customer(actor)).id;
  const subscribe = async () =>
    (await world.subscribe(actor, { customer, items: [{ price: price.id }] })).subscription.id;
  const check = (feature: string, amount?: number) => world.entitlements.check(actor.tenant, customer, feature, amount);
  return { world, clock, calls, actor, customer, price, subscribe, check };
};

describe('entitlements', () => {
  it('are what the products of live subscriptions grant', async () => {
    const { check, subscribe, clock } = await setup();
    expect(await check('sso')).toMatchObject({ allowed: false, reason: 'not-in-plan' });
    await subscribe();
    clock.advance(30_000);
    expect(await check('sso')).toMatchObject({ allowed: true, reason: 'granted' });
    expect([(await check('projects', 3)).allowed, (await check('projects', 4)).allowed]).toEqual([true, false]);
    expect(await check('other')).toMatchObject({ allowed: false, reason: 'not-in-plan' });
  });

  it('count usage of the current period', async () => {
    const { world, actor, customer, check, subscribe, clock } = await setup();
    await subscribe();
    const event = (id: string, at: string, value: number) => ({ id, at, value, customer, meter: 'calls' });
    await world.usage.record(actor, [
      event('before', '2026-01-09T10:00:00Z', 90),
      event('now', '2026-01-10T00:00:00Z', 60),
    ]);
    expect(await check('calls', 40)).toMatchObject({ allowed: true, entitlement: { used: 60, limit: 100 } });
    expect(await check('calls', 41)).toMatchObject({ allowed: false, reason: 'limit-reached' });
    await world.usage.record(actor, [event('more', '2026-01-10T00:00:00Z', 40)]);
    clock.advance(30_000);
    expect((await check('calls')).allowed).toBe(false);
  });

  it('read nothing while they are warm, and hear of a change within 30 seconds', async () => {
    const { world, calls, actor, check, subscribe, clock } = await setup();
    const id = await subscribe();
    await check('sso');
    const before = calls.count;
    for (let i = 0; i < 100; i += 1) await check(i % 2 === 0 ? 'sso' : 'projects');
    expect(calls.count).toBe(before);
    await world.billingSubscriptions.cancel(actor, id, { when: 'now', refund: 'none' });
    clock.advance(30_000);
    expect((await check('sso')).allowed).toBe(false);
  });

  it('are the best of several subscriptions', async () => {
    const { world, actor, customer, check, subscribe, clock } = await setup();
    await subscribe();
    const more = await world.price(
      actor,
      { model: 'flat', amount: 1 },
      {},
      { features: [{ feature: 'projects', kind: 'limit', limit: null }] },
    );
    await world.subscribe(actor, { customer, items: [{ price: more.id }] });
    clock.advance(30_000);
    expect((await check('projects', 1_000)).allowed).toBe(true);
  });
});

it.each<[Entitlement['kind'], number | null, number | null, number, boolean]>([
  ['switch', null, null, 9, true],
  ['limit', 3, null, 3, true],
  ['limit', 0, null, 1, false],
  ['usage', 10, 10, 0, true],
  ['usage', 10, 10, 1, false],
  ['usage', null, 10, 1_000, true],
])('a %s of %s with %s used allows %s: %s', (kind, limit, used, amount, allowed) => {
  expect(decide([{ feature: 'f', kind, limit, used }], 'f', amount).allowed).toBe(allowed);
});
