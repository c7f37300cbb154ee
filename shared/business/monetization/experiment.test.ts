import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { createAuditLog } from '../../security/audit/audit.log.ts';
import { auditEntryCollection } from '../../security/audit/audit-entry.schema.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { subscriptionChanged } from '../billing/billing.events.ts';
import { subscriptionChangeSchema } from '../billing/subscription.schema.ts';
import { newExperimentSchema } from './experiment.schema.ts';
import { resultOf, variantOf } from './experiment.service.ts';
import { createMonetization } from './monetization.ts';
import { recordMovement } from './movement.jobs.ts';
import { differenceOfMeans, differenceOfProportions, normalQuantile, sampleSize, wilson } from './statistics.ts';

describe('the statistics', () => {
  it('know the normal distribution', () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963985, 6);
    expect(normalQuantile(0.8)).toBeCloseTo(0.841621234, 6);
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306, 6);
  });

  it('give the intervals of the literature', () => {
    // R. G. Newcombe, Statistics in Medicine 17 (1998): 81 of 263 is 0.3080, 0.2553 to 0.3662.
    const { low, high } = wilson(81, 263, 0.05);
    expect([low.toFixed(4), high.toFixed(4)]).toEqual(['0.2553', '0.3662']);
    // Same author, pages 873 to 890, table II: 56/70 − 48/80, method 10: 0.0524 to 0.3339.
    const difference = differenceOfProportions({ successes: 48, trials: 80 }, { successes: 56, trials: 70 }, 0.05);
    expect([difference.low.toFixed(4), difference.high.toFixed(4)]).toEqual(['0.0524', '0.3339']);
  });

  it('say how many are needed', () => {
    // (1.96 √(2 · 0.11 · 0.89) + 0.8416 √(0.1 · 0.9 + 0.12 · 0.88))² / 0.02² = 3,841
    expect(sampleSize(0.1, 0.02)).toBe(3_841);
  });

  it('compare means with variances of their own', () => {
    const interval = differenceOfMeans(
      { count: 100, sum: 1_000, squares: 10_400 },
      { count: 100, sum: 1_200, squares: 14_800 },
      0.05,
    );
    // 12 − 10 ± 1.96 √(4.0404/100 + 4.0404/100)
    expect(interval.low).toBeCloseTo(2 - 1.959964 * Math.sqrt((2 * (400 / 99)) / 100), 4);
    expect(interval.high).toBeCloseTo(2 + 1.959964 * Math.sqrt((2 * (400 / 99)) / 100), 4);
  });
});

const input = newExperimentSchema.parse({
  name: 'Higher',
  variants: [
    { key: 'control', price: 'price_1', weight: 1 },
    { key: 'higher', price: 'price_2', weight: 3 },
  ],
  baseRate: 0.1,
  effect: 0.05,
});

it('assignment is by the hash alone, and in the shares of the weights', () => {
  const all = Array.from({ length: 20_000 }, (_, i) => variantOf('exp_1', input, `cus_${i}`).variant);
  expect(all).toEqual(Array.from({ length: 20_000 }, (_, i) => variantOf('exp_1', input, `cus_${i}`).variant));
  expect(all.filter((variant) => variant === 'higher').length / all.length).toBeCloseTo(0.75, 1);
});

it('nothing is concluded before each variant has its sample', () => {
  const experiment = {
    id: 'exp_1',
    ...input,
    status: 'running' as const,
    sampleSize: 1_000,
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  const tally = (assigned: number, converted: number) => ({
    assigned,
    converted,
    revenue: converted * 100,
    squares: converted * 10_000,
  });
  expect(resultOf(experiment, [tally(999, 100), tally(5_000, 2_000)]).verdict).toBe('too-few');
  expect(resultOf(experiment, [tally(1_000, 100), tally(1_000, 200)]).verdict).toBe('difference');
  expect(resultOf(experiment, [tally(1_000, 100), tally(1_000, 105)]).verdict).toBe('no-difference');
});

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('monetization on %s', (_name, open) => {
  const clock = manualClock('2026-01-01T00:00:00Z');
  const database = open({ now: clock.now });
  const billing = billingOn(database, { clock });
  const cipher = { seal: async (_tenant: string, _subject: string, text: string) => text };
  const audit = createAuditLog({ entries: database.tenants(auditEntryCollection), cipher, newId, clock });
  const { experiments, plans, revenueMetrics, movements } = createMonetization({
    database,
    billing,
    audit,
    newId,
    clock,
  });

  const setup = async () => {
    const actor = await billing.tenant();
    const features = [{ feature: 'sso', kind: 'switch' }];
    const prices = [
      await billing.price(actor, { model: 'flat', amount: 1_000 }),
      await billing.price(actor, { model: 'flat', amount: 2_000 }, {}, { name: 'Team', features }),
    ];
    const variants = prices.map(({ id }, i) => ({ key: i === 0 ? 'control' : 'higher', price: id }));
    return { actor, prices, variants, customer: (await billing.customer(actor)).id };
  };

  it('assigns a customer once of twenty at once, and counts their purchase once', async () => {
    const { actor, variants, customer } = await setup();
    const { id } = await experiments.create(actor, newExperimentSchema.parse({ ...input, variants }));
    const all = await Promise.all(Array.from({ length: 20 }, () => experiments.assign(actor, id, customer)));
    expect(new Set(all.map(({ price }) => price)).size).toBe(1);
    await Promise.all(Array.from({ length: 20 }, () => experiments.convert(actor, id, customer, 1_500)));
    const { variants: results } = await experiments.result(actor, id);
    expect(results.map(({ assigned }) => assigned).sort()).toEqual([0, 1]);
    expect(results.find(({ assigned }) => assigned === 1)).toMatchObject({ converted: 1, revenue: 1_500 });
    const stops = await Promise.all(Array.from({ length: 20 }, () => experiments.stop(actor, id)));
    expect(new Set(stops.map(({ status }) => status))).toEqual(new Set(['stopped']));
    expect(await experiments.assign(actor, id, customer)).toEqual(all[0]);
    const late = (await billing.customer(actor)).id;
    await expect(experiments.assign(actor, id, late)).rejects.toMatchObject({ code: 'precondition-failed' });
    await expect(experiments.convert(actor, id, late, 1)).rejects.toMatchObject({ code: 'precondition-failed' });
  });

  it('offers the plans that would allow what is refused', async () => {
    const { actor, prices, customer } = await setup();
    const asked = { customer, feature: 'sso', amount: 1 };
    const refused = await plans.decide(actor, asked);
    expect(refused).toMatchObject({
      allowed: false,
      reason: 'not-in-plan',
      offers: [{ prices: [{ id: prices[1]?.id }] }],
    });
    await billing.subscribe(actor, { customer, items: [{ price: prices[1]?.id }] });
    clock.advance(30_000);
    expect(await plans.decide(actor, asked)).toMatchObject({ allowed: true, offers: [] });
    expect((await plans.list(actor, { limit: 10 })).items).toHaveLength(2);
  });

  it('knows revenue by the log of movements, which takes each change once', async () => {
    const { actor, prices, customer } = await setup();
    const [cheap = '', dear = ''] = prices.map(({ id }) => id);
    const { subscription } = await billing.subscribe(actor, { customer, items: [{ price: cheap }] });
    const change = subscriptionChangeSchema.parse({ items: [{ price: dear }], proration: 'none' });
    await billing.billingSubscriptions.change(actor, subscription.id, change);
    for (const event of (await billing.eventsOf(actor)).filter(({ type }) => type === subscriptionChanged.type)) {
      for (let i = 0; i < 3; i += 1) await billing.runJob(recordMovement, event, { movements });
    }
    expect(await revenueMetrics.revenue(actor, {})).toMatchObject({ mrr: 2_000, arr: 24_000, customers: 1 });
    expect((await revenueMetrics.cohorts(actor)).cohorts).toMatchObject([{ customers: 1 }]);
  });
});
