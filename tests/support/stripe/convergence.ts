import fc from 'fast-check';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import type { Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import type { ManualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createStripeClient } from '#shared/payments/gateways/stripe.client.ts';
import { stripeJobs } from '#shared/payments/stripe/stripe.jobs.ts';
import { createStripeServices } from '#shared/payments/stripe/stripe.services.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { accountCollection, stripeDelivery } from '#shared/webhooks/index.ts';
import { killAt } from '../crashing.ts';
import type { StripeServer } from '../stripe-server.ts';
import {
  createCustomer,
  createSubscription,
  deleteCustomer,
  endSubscription,
  renewSubscription,
  updateCustomer,
  updateSubscription,
} from './billing.ts';
import type { AccountState, StripeEvent } from './state.ts';

/** What happens to a customer's subscriptions at Stripe, one after the other. */
export const storySteps = ['renew', 'quantity', 'cancel-later', 'rename', 'second', 'end', 'delete'] as const;
export type StoryStep = (typeof storySteps)[number];

const play = (state: AccountState, step: StoryStep): void => {
  const customer = [...state.customers.values()][0];
  const alive = [...state.subscriptions.values()].filter(({ ended_at }) => ended_at === null);
  const [subscription] = alive;
  if (step === 'rename' && customer !== undefined) updateCustomer(state, customer.id, { name: `Ada ${state.now()}` });
  if (step === 'delete' && customer !== undefined) deleteCustomer(state, customer.id);
  if (step === 'second' && customer !== undefined) {
    createSubscription(state, { customer: customer.id, items: [{ price: 'price_yearly' }] });
  }
  if (subscription === undefined) return;
  if (step === 'renew') renewSubscription(state, subscription.id);
  if (step === 'end') endSubscription(state, subscription.id);
  if (step === 'cancel-later') updateSubscription(state, subscription.id, { cancel_at_period_end: true });
  if (step === 'quantity') {
    const items = subscription.items.data.map(({ id, quantity }) => ({ id, quantity: quantity + 1 }));
    updateSubscription(state, subscription.id, { items });
  }
};

/** Plays a story in a new account, with some seconds between the steps, and returns the events that Stripe makes. */
export const tell = (server: StripeServer, account: string, steps: readonly StoryStep[], clock: ManualClock) => {
  const state = server.of(account);
  const customer = createCustomer(state, {
    email: 'ada@example.com',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
  });
  createSubscription(state, { customer: customer.id, items: [{ price: 'price_monthly', quantity: 2 }] });
  for (const step of steps) {
    clock.advance(1_000);
    play(state, step);
  }
  return [...state.events];
};

const tenant = 'acme';

/** A tenant's side: a store that lasts, and workers on it that may die. */
export const workerSide = async (server: StripeServer, account: string, clock: ManualClock) => {
  const driver = embeddedDriver();
  const lasting = databaseOn(driver, { now: clock.now });
  await lasting
    .platform(accountCollection)
    .create(`stripe:${account}`, { tenant, connectedAt: '2026-01-01T00:00:00.000Z' });
  /** Everything that a job emits, delivered until nothing is left. */
  const outbox = lasting.platform(outboxCollection);

  const workerOn = (own: Driver, step: <R>(call: () => Promise<R>) => Promise<R> = (call) => call()) => {
    const database = databaseOn(own, { now: clock.now });
    const client = createStripeClient({
      secretKey: server.secretKey,
      baseUrl: server.baseUrl,
      clock,
      wait: async () => {},
    });
    const stepping: typeof client = { ...client, call: (...given) => step(() => client.call(...given)) };
    const makeEvent = eventMaker({ source: 'omni/payments', clock, newId });
    const services = createStripeServices({ database, client: stepping, makeEvent, newId, clock });
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
    /** Records without when they were read, and the effects by their natural keys. */
    state: async () => {
      const { customer, subscription, invoice } = steady.services.stripeSyncKinds;
      const plain = <T extends object>(items: readonly { readonly id: string; readonly value: T }[]) =>
        items.map(({ id, value }) => ({ id, ...value, fetchedAt: '', updatedAt: '' }));
      const effects = [...published.values()].filter(({ type }) => /\.(paid|ended)$/.test(type));
      return {
        customers: plain((await customer.records.of(tenant).query({ limit: 1000 })).items),
        subscriptions: plain((await subscription.records.of(tenant).query({ limit: 1000 })).items),
        invoices: plain((await invoice.records.of(tenant).query({ limit: 1000 })).items),
        effects: effects.map(({ id, type, data }) => ({ id, type, data })).sort((a, b) => (a.id < b.id ? -1 : 1)),
        parked: (await steady.services.stripeParked.of(tenant).query({ limit: 1000 })).items.length,
        dead: (await lasting.platform(deadLetterCollection).query({ limit: 10 })).items.length,
      };
    },
  };
};

/** Deliveries of a stream: which events, in which order, how often, and where a worker dies. */
const delivery = fc.record({
  pick: fc.nat(),
  dies: fc.option(
    fc.record({ nth: fc.integer({ min: 1, max: 8 }), when: fc.constantFrom('before' as const, 'after' as const) }),
  ),
  pause: fc.constantFrom(0, 1_000, 60_000),
});

export const stories = fc.record({
  steps: fc.array(fc.constantFrom(...storySteps), { minLength: 1, maxLength: 6 }),
  deliveries: fc.array(delivery, { minLength: 0, maxLength: 12 }),
  /** The rest, in any order, unless it is lost for good. */
  order: fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
  lost: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
});

let accounts = 0;

/** Whatever becomes of the deliveries, in the end all is as if they had come once and in order. */
export const converges = async (
  server: StripeServer,
  clock: ManualClock,
  story: typeof stories extends fc.Arbitrary<infer S> ? S : never,
) => {
  accounts += 1;
  const account = `acct_${accounts}`;
  const events = tell(server, account, story.steps, clock);
  const inOrder = await workerSide(server, account, clock);
  for (const event of events) {
    await inOrder.deliver(event);
    await inOrder.drain();
  }
  const shuffled = await workerSide(server, account, clock);
  for (const { pick, dies, pause } of story.deliveries) {
    const event = events[pick % events.length];
    if (event === undefined) continue;
    if (dies === null) await shuffled.deliver(event);
    else await shuffled.deliverDying(event, dies.nth, dies.when);
    clock.advance(pause);
  }
  await shuffled.drain();
  const rest = events
    .map((event, i) => ({ event, at: story.order[i % 30] ?? 0, isLost: story.lost[i % 30] === true }))
    .sort((a, b) => a.at - b.at);
  for (const { event, isLost } of rest) if (!isLost) await shuffled.deliver(event);
  await shuffled.drain();
  clock.advance(3_600_000);
  await shuffled.reconcile();
  return { expected: await inOrder.state(), actual: await shuffled.state() };
};
