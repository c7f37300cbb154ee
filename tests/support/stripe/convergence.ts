import fc from 'fast-check';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import type { Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import type { ManualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createStripeClient } from '#shared/payments/gateways/stripe.client.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
} from '#shared/payments/ledger/ledger.schema.ts';
import { createLedger } from '#shared/payments/ledger/ledger.service.ts';
import { stripeJobs } from '#shared/payments/stripe/stripe.jobs.ts';
import { createStripeServices } from '#shared/payments/stripe/stripe.services.ts';
import type { StripeRecord } from '#shared/payments/stripe/stripe-kind.ts';
import type { StripeKinds } from '#shared/payments/stripe/stripe-kinds.ts';
import { createStripeSync } from '#shared/payments/stripe/stripe-sync.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { accountCollection, stripeDelivery } from '#shared/webhooks/index.ts';
import { killAt } from '../crashing.ts';
import type { StripeServer } from '../stripe-server.ts';
import type { AccountState, StripeEvent } from './state.ts';
import { begin, play, storyOf } from './story.ts';

const tenant = 'acme';
const actor = systemActor(tenant, 'tests');
const pending = 'test:gateway:stripe:pending';

/** A bug, to see that it is found. */
export interface Planted {
  readonly driver?: (driver: Driver) => Driver;
  readonly kinds?: (kinds: StripeKinds) => StripeKinds;
}

/** A tenant's side: a store that lasts, and workers on it that may die. */
export const workerSide = async (server: StripeServer, account: string, clock: ManualClock, planted: Planted = {}) => {
  const driver = embeddedDriver();
  const lasting = databaseOn(driver, { now: clock.now });
  await lasting
    .platform(accountCollection)
    .create(`stripe:${account}`, { tenant, connectedAt: '2026-01-01T00:00:00.000Z' });
  /** Everything that a job emits, delivered until nothing is left. */
  const outbox = lasting.platform(outboxCollection);

  const workerOn = (store: Driver, step: <R>(call: () => Promise<R>) => Promise<R> = (call) => call()) => {
    const database = databaseOn(planted.driver?.(store) ?? store, { now: clock.now });
    const client = createStripeClient({
      secretKey: server.secretKey,
      baseUrl: server.baseUrl,
      clock,
      wait: async () => {},
    });
    const stepping: typeof client = { ...client, call: (...given) => step(() => client.call(...given)) };
    const makeEvent = eventMaker({ source: 'omni/payments', clock, newId });
    const ledger = createLedger({
      database,
      accounts: database.tenants(ledgerAccountCollection),
      entries: database.tenants(ledgerEntryCollection),
      balances: database.tenants(ledgerBalanceCollection),
      clock,
    });
    const own = createStripeServices({ database, client: stepping, ledger, makeEvent, newId, clock });
    const kinds = planted.kinds?.(own.stripeSyncKinds) ?? own.stripeSyncKinds;
    const common = { client: stepping, parked: own.stripeParked, ledger, makeEvent, clock };
    const services = { ...own, stripeSync: createStripeSync({ ...common, kinds }), ledger };
    const inbox = database.platform(inboxCollection);
    const run = createJobRunner({
      database,
      inbox: createInbox({ entries: inbox, clock }),
      deadLetters: createDeadLetters({ database, letters: database.platform(deadLetterCollection), inbox, clock }),
      logger: nullLogger,
    });
    const jobs: readonly Job<typeof services>[] = stripeJobs;
    const deliver = async (event: DomainEvent): Promise<void> => {
      for (const job of jobs) {
        if (job.eventTypes.includes(event.type)) await run(job, event, services);
      }
    };
    return { deliver, makeEvent, services };
  };

  const steady = workerOn(driver);
  const published = new Map<string, DomainEvent>();
  const drain = async (): Promise<void> => {
    for (;;) {
      const { items } = await outbox.query({ limit: 100 });
      if (items.length === 0) return;
      for (const { id, value } of items) {
        const event: DomainEvent = JSON.parse(value.event);
        published.set(event.id, event);
        await steady.deliver(event);
        await outbox.delete(id);
      }
    }
  };
  const domainEventOf = (event: StripeEvent): DomainEvent => {
    const { eventId, eventType, subject, data } = stripeDelivery(event);
    return steady.makeEvent(eventType, { id: `whk_${eventId}`, tenant, subject, data });
  };
  return {
    drain,
    /** The event as intake publishes it now, and the work on it later. */
    arrived: domainEventOf,
    work: steady.deliver,
    deliver: async (event: StripeEvent): Promise<void> => steady.deliver(domainEventOf(event)),
    /** A worker that dies at its nth call to the outside; the bus delivers again once its lease is over. */
    deliverDying: async (event: StripeEvent, nth: number, when: 'before' | 'after'): Promise<boolean> => {
      const domainEvent = domainEventOf(event);
      const killer = killAt(nth, when);
      await workerOn(killer.driver(driver), killer.step)
        .deliver(domainEvent)
        .catch(() => undefined);
      clock.advance(200_000);
      await steady.deliver(domainEvent);
      return killer.calls() >= nth;
    },
    reconcile: async (): Promise<void> => {
      await steady.services.stripeReconciler.reconcile({ tenant, account }, new AbortController().signal);
      await drain();
    },
    /** Records without when they were read, the books, and the effects by their natural keys. */
    state: async () => {
      const { customer, subscription, invoice, payment, payout } = steady.services.stripeSyncKinds;
      const plain = <T extends StripeRecord>(items: readonly { readonly id: string; readonly value: T }[]) =>
        items.map(({ id, value }) => {
          const booked = value.booked?.toSorted();
          return { id, ...value, fetchedAt: '', updatedAt: '', booked };
        });
      const effects = [...published.values()].filter(({ type }) => /\.(paid|ended)$/.test(type));
      const { ledger } = steady.services;
      const { items: entries } = await ledger.entries(actor, { limit: 1_000 });
      const [euros, yen, krona] = await Promise.all(
        ['EUR', 'JPY', 'SEK'].map((currency) => ledger.trialBalance(actor, { currency, book: 'test', limit: 100 })),
      );
      return {
        customers: plain((await customer.records.of(tenant).query({ limit: 1000 })).items),
        subscriptions: plain((await subscription.records.of(tenant).query({ limit: 1000 })).items),
        invoices: plain((await invoice.records.of(tenant).query({ limit: 1000 })).items),
        payments: plain((await payment.records.of(tenant).query({ limit: 1000 })).items),
        payouts: plain((await payout.records.of(tenant).query({ limit: 1000 })).items),
        effects: effects.map(({ id, type, data }) => ({ id, type, data })).sort((a, b) => (a.id < b.id ? -1 : 1)),
        entries: entries.map(({ id, account, amount }) => `${id} ${account} ${amount}`).sort(),
        balances: Object.fromEntries(euros?.items.map(({ account, debit, credit }) => [account, debit - credit]) ?? []),
        differences: [euros?.difference, yen?.difference, krona?.difference],
        owedInKrona: krona?.items.find(({ account }) => account === pending)?.debit ?? 0,
        parked: (await steady.services.stripeParked.of(tenant).query({ limit: 1000 })).items.length,
        dead: (await lasting.platform(deadLetterCollection).query({ limit: 10 })).items.length,
      };
    },
  };
};

/** A delivery: of which event so far, after which step, and where a worker dies. */
const delivery = fc.record({
  pick: fc.nat(),
  after: fc.nat(),
  dies: fc.option(
    fc.record({ nth: fc.integer({ min: 1, max: 8 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  ),
  pause: fc.constantFrom(0, 1_000, 60_000),
});

const storiesOf = (maxEpisodes: number, maxDeliveries: number) =>
  fc.record({
    steps: storyOf(maxEpisodes),
    deliveries: fc.array(delivery, { minLength: 0, maxLength: maxDeliveries }),
    /** The rest, in any order, unless it is lost for good. */
    order: fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
    lost: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  });
type Story = ReturnType<typeof storiesOf> extends fc.Arbitrary<infer S> ? S : never;

export const stories = storiesOf(2, 8);
export const longStories = storiesOf(5, 12);

/** Of money in krona, of which Stripe owes none, what it has not said yet what it is in euros. */
const notYetEuros = ({ charges }: AccountState): number =>
  [...charges.values()]
    .filter(
      ({ currency, captured, balance_transaction: movement }) => currency === 'sek' && captured && movement === null,
    )
    .reduce((sum, one) => sum + one.amount_captured, 0);

/** What the books have to say in the end, as Stripe itself has it. */
const bySideOfStripe = ({ transactions, invoices, customers, payouts, deleted }: AccountState) => {
  const open = (status: string): number =>
    [...invoices.values()].filter((one) => one.status === status).reduce((sum, one) => sum + one.amount_remaining, 0);
  const credit = [...customers.values()].reduce((sum, { balance }) => sum + balance, 0);
  return {
    [pending]: [...transactions.values()]
      .filter(({ currency }) => currency === 'eur')
      .reduce((sum, { net }) => sum + net, 0),
    'test:bank:stripe': [...payouts.values()]
      .filter(({ status }) => status !== 'failed')
      .reduce((sum, { amount }) => sum + amount, 0),
    'test:receivable:stripe': open('open'),
    'test:losses:bad-debt': open('uncollectible'),
    // Of who is deleted Stripe knows nothing any more.
    ...(deleted.size === 0 ? { 'test:customers:stripe-balance': credit } : {}),
  };
};

/** The same accounts in the books. */
export const booksOf = (balances: Readonly<Record<string, number>>, like: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.keys(like).map((account) => [account, balances[account] ?? 0]));

let accounts = 0;

/**
 * Whatever becomes of the deliveries, in the end all is as if they had come once, in order, and each at once. Both
 * sides see states in between, not the same ones.
 */
export const converges = async (server: StripeServer, clock: ManualClock, story: Story, planted: Planted = {}) => {
  accounts += 1;
  const account = `acct_${accounts}`;
  const stripe = server.of(account);
  const inOrder = await workerSide(server, account, clock, planted);
  const shuffled = await workerSide(server, account, clock, planted);
  let told = 0;
  const steps = [begin, ...story.steps.map((step) => (state: AccountState) => play(state, step))];
  for (const [at, step] of steps.entries()) {
    clock.advance(1_000);
    step(stripe);
    for (const event of stripe.events.slice(told)) await inOrder.deliver(event);
    told = stripe.events.length;
    await inOrder.drain();
    for (const { pick, dies, pause } of story.deliveries.filter(({ after }) => after % steps.length === at)) {
      const event = stripe.events[pick % stripe.events.length];
      if (event === undefined) continue;
      if (dies === null) await shuffled.deliver(event);
      else await shuffled.deliverDying(event, dies.nth, dies.when);
      clock.advance(pause);
    }
    if (at % 2 === 1) await shuffled.drain();
  }
  await shuffled.drain();
  const rest = stripe.events
    .map((event, i) => ({ event, at: story.order[i % 30] ?? 0, isLost: story.lost[i % 30] === true }))
    .sort((a, b) => a.at - b.at);
  for (const { event, isLost } of rest) if (!isLost) await shuffled.deliver(event);
  await shuffled.drain();
  clock.advance(3_600_000);
  await shuffled.reconcile();
  return {
    expected: await inOrder.state(),
    actual: await shuffled.state(),
    stripe: bySideOfStripe(stripe),
    krona: notYetEuros(stripe),
  };
};
