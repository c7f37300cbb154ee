import { createServices } from '#functions/business/services.ts';
import {
  billDue,
  billingDue,
  billingSettingsSchema,
  newCustomerSchema,
  newMeterSchema,
  newPriceSchema,
  newProductSchema,
  newSubscriptionSchema,
} from '#shared/business/index.ts';
import { loadConfig } from '#shared/config/config.ts';
import { type Actor, systemActor } from '#shared/kernel/actor.ts';
import { manualClock } from '#shared/kernel/clock.ts';
import { createRuntime } from '#shared/runtime/runtime.ts';
import type { Ground } from './ground.ts';
import { interleaved, median, type Row } from './measure.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const nextMonth = Date.parse('2026-02-01T00:00:00Z');

const openBilling = async ({ environment }: Ground) => {
  const clock = manualClock(start);
  const runtime = await createRuntime('bench', loadConfig(environment), { clock });
  return { clock, runtime, services: createServices(runtime) };
};
type Bench = Awaited<ReturnType<typeof openBilling>>;

const newTenant = async ({ services }: Bench, name: string): Promise<Actor> => {
  const actor = systemActor(name, 'bench');
  const address = { line1: 'Street 1', postalCode: '10117', city: 'Berlin' };
  const seller = { name: 'Bench', address, country: 'DE', vatId: 'DE136695976' };
  await services.billingSettings.put(actor, billingSettingsSchema.parse({ seller }));
  return actor;
};

const newCustomers = ({ services }: Bench, actor: Actor, count: number) =>
  inTurns(count, 20, () =>
    services.billingCustomers.create(actor, newCustomerSchema.parse({ name: 'Ada', country: 'DE' })),
  );

/** At most so many at a time. */
const inTurns = async <R>(count: number, width: number, work: (index: number) => Promise<R>): Promise<R[]> => {
  const all: R[] = [];
  for (let i = 0; i < count; i += width) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(width, count - i) }, (_, k) => work(i + k)))));
  }
  return all;
};

const usageRuns = 3;
const batch = 10_000;
const customers = 100;
/** What Firestore takes in one commit. */
const rawBatch = 500;

const usageEvents = async (bench: Bench, { firestore }: Ground): Promise<Row> => {
  const { services, runtime } = bench;
  const actor = await newTenant(bench, 'bench-usage');
  await services.usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum' }));
  const people = await newCustomers(bench, actor, customers);
  const eventsOf = (run: number) =>
    Array.from({ length: batch }, (_, i) => ({
      id: `${run}-${i}`,
      customer: people[i % customers]?.id ?? '',
      meter: 'calls',
      at: new Date(start - (i % 24) * 3_600_000).toISOString(),
      value: 1,
    }));
  const perSecond = async (work: () => Promise<void>): Promise<number> => {
    const begun = performance.now();
    await work();
    return (batch * 1_000) / (performance.now() - begun);
  };
  const pair = await interleaved(
    usageRuns,
    async (run) => {
      const events = eventsOf(run);
      return perSecond(async () => {
        const { accepted } = await services.usage.record(actor, events);
        if (accepted !== batch) throw new Error(`Only ${accepted} events were counted.`);
      });
    },
    async (run) => {
      const events = eventsOf(run);
      return perSecond(async () => {
        for (let i = 0; i < batch; i += rawBatch) {
          const writes = firestore.batch();
          for (const event of events.slice(i, i + rawBatch))
            writes.create(firestore.doc(`rawUsage/${event.id}`), event);
          await writes.commit();
        }
      });
    },
  );
  await runtime.outbox.sweep();
  return {
    name: 'Usage events',
    unit: '/s',
    ...pair,
    ratio: pair.ours / pair.baseline,
    bar: { atLeast: 1 },
    how:
      `Median of ${usageRuns} batches of ${batch} events of ${customers} customers over two days, in one call. Ours: each ` +
      'event checked and counted once by its id; they are added up before they are stored. Baseline: as many ' +
      `\`create()\` by a plain client, ${rawBatch} in a commit, which finds a repeated event too but adds nothing up.`,
  };
};

/** Milliseconds in which everything that is due in a tenant is billed. */
const runOf = async ({ clock, runtime, services }: Bench, { tenant }: Actor, count: number): Promise<number> => {
  clock.set(nextMonth);
  let milliseconds = 0;
  for (let page = 0, left = true; left; page += 1) {
    const data = { run: 'bench', page };
    const event = runtime.makeEvent(billingDue, { tenant, subject: tenant, data });
    const begun = performance.now();
    await runtime.runJob(billDue, event, services);
    milliseconds += performance.now() - begun;
    const due = { field: 'nextActionAt', op: '<=', value: new Date(nextMonth).toISOString() } as const;
    const orderBy = { field: 'nextActionAt', order: 'asc' } as const;
    left = (await services.subscriptions.of(tenant).query({ where: [due], orderBy, limit: 1 })).items.length > 0;
  }
  clock.set(start);
  const { count: invoices } = await services.invoices.of(tenant).aggregate({});
  if (invoices !== 2 * count) throw new Error(`${invoices} invoices instead of ${2 * count}.`);
  return milliseconds;
};

const invoiceRun = async (bench: Bench): Promise<Row> => {
  const { services } = bench;
  const prepare = async (name: string, count: number): Promise<Actor> => {
    const actor = await newTenant(bench, name);
    const product = await services.catalogue.createProduct(actor, newProductSchema.parse({ name: 'Pro' }));
    const interval = { unit: 'month', count: 1 };
    const amounts = { EUR: { model: 'per-unit', unitAmount: 2_900 } };
    const input = newPriceSchema.parse({ product: product.id, interval, amounts });
    const price = await services.catalogue.createPrice(actor, input);
    const people = await newCustomers(bench, actor, count);
    // One after the other: each takes the next number.
    for (const { id: customer } of people) {
      const items = [{ price: price.id, quantity: 3 }];
      await services.billingSubscriptions.create(actor, newSubscriptionSchema.parse({ customer, items }));
    }
    return actor;
  };
  const few: number[] = [];
  for (let i = 0; i < 3; i += 1) few.push(await runOf(bench, await prepare(`bench-hundred-${i}`, 100), 100));
  const many = await runOf(bench, await prepare('bench-thousand', 1_000), 1_000);
  const baseline = median(few) * 10;
  return {
    name: 'Invoice run of 1,000 subscriptions',
    unit: 'ms',
    ours: many,
    baseline,
    ratio: many / baseline,
    bar: { atMost: 1 },
    how:
      'From the first page until nothing is due any more: 1,000 renewals with numbered invoices, tax and events, in ' +
      'commits of 80. Baseline: ten times the median of three runs of 100, so a ratio of 1 is linear growth.',
    bound:
      'the emulator reads all subscriptions of the tenant to find the next 80 that are due, where Firestore reads an ' +
      'index. What is read and written for each is the same however many there are (`billing-run.jobs.test.ts`).',
  };
};

export const billing = async (ground: Ground): Promise<Row[]> => {
  const bench = await openBilling(ground);
  try {
    return [await usageEvents(bench, ground), await invoiceRun(bench)];
  } finally {
    await bench.runtime.close();
  }
};
