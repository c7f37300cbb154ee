import { tmpdir } from 'node:os';
import { createLocalDiskBlobs } from '#shared/blobs/local-disk.ts';
import { type BillingOptions, createBilling } from '#shared/business/billing/billing.ts';
import { createMemoryCache } from '#shared/cache/memory.ts';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import type { Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { type Actor, systemActor } from '#shared/kernel/actor.ts';
import { type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createAuditLog } from '#shared/security/audit/audit.log.ts';
import { auditEntryCollection } from '#shared/security/audit/audit-entry.schema.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import type { Database } from '#shared/store/store.ts';
import { memoryLogger } from '#shared/telemetry/index.ts';

export const berlin = {
  name: 'Acme GmbH',
  address: { line1: 'Unter den Linden 1', postalCode: '10117', city: 'Berlin' },
  country: 'DE',
  vatId: 'DE136695976',
} as const;

export interface BillingTestOptions
  extends Partial<
    Pick<BillingOptions, 'blobs' | 'books' | 'cache' | 'charges' | 'isSandbox' | 'register' | 'salesTax'>
  > {
  readonly clock?: ManualClock;
}

/** Billing over a database, with a clock that stands still. Audit entries are real, without personal data. */
export const billingOn = (database: Database, options: BillingTestOptions = {}) => {
  const { clock = manualClock('2026-01-01T00:00:00.000Z') } = options;
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  const audit = createAuditLog({
    entries: database.tenants(auditEntryCollection),
    cipher: { seal: async (_tenant, _subject, text) => text },
    newId,
    clock,
  });
  const blobs =
    options.blobs ??
    createLocalDiskBlobs({ root: tmpdir(), baseUrl: 'http://127.0.0.1:1/blobs', signingKey: 'of-tests' });
  const cache = options.cache ?? createMemoryCache({ clock });
  const isSandbox = options.isSandbox ?? (async () => true);
  const logger = memoryLogger();
  const common = { cache, blobs, database, audit, makeEvent, newId, clock, logger };
  const billing = createBilling({ ...options, ...common, isSandbox });
  const entries = database.platform(inboxCollection);
  const runJob = createJobRunner({
    database,
    inbox: createInbox({ entries, clock }),
    deadLetters: createDeadLetters({
      database,
      letters: database.platform(deadLetterCollection),
      inbox: entries,
      clock,
    }),
    logger,
  });
  const services = { ...billing, tenants: { list: async () => ({ items: [], nextCursor: null }) } };

  /** A tenant of its own, that says who it is. */
  const tenant = async (change: Parameters<typeof billing.billingSettings.put>[1] | object = {}): Promise<Actor> => {
    const actor = systemActor(newId('t').toLowerCase(), 'test');
    const { billingSettingsSchema } = await import('#shared/business/index.ts');
    await billing.billingSettings.put(actor, billingSettingsSchema.parse({ seller: berlin, ...change }));
    return actor;
  };

  /** A price of a product of its own. */
  const price = async (actor: Actor, scheme: object, change: object = {}, product: object = {}) => {
    const { newPriceSchema, newProductSchema } = await import('#shared/business/index.ts');
    const made = await billing.catalogue.createProduct(actor, newProductSchema.parse({ name: 'Pro', ...product }));
    return billing.catalogue.createPrice(
      actor,
      newPriceSchema.parse({
        product: made.id,
        interval: { unit: 'month', count: 1 },
        amounts: { EUR: scheme },
        ...change,
      }),
    );
  };

  const customer = async (actor: Actor, change: object = {}) => {
    const { newCustomerSchema } = await import('#shared/business/index.ts');
    const input = newCustomerSchema.parse({ name: 'Ada', country: 'DE', email: 'ada@example.com', ...change });
    return billing.billingCustomers.create(actor, input);
  };

  const subscribe = async (actor: Actor, input: object) => {
    const { newSubscriptionSchema } = await import('#shared/business/index.ts');
    return billing.billingSubscriptions.create(actor, newSubscriptionSchema.parse(input));
  };

  const invoicesOf = async (actor: Actor) => {
    const { items } = await billing.billingInvoices.list(actor, { limit: 200 });
    return items.toReversed();
  };

  /** Events of a tenant that wait in the outbox, which nobody empties here. */
  const eventsOf = async (actor: Actor): Promise<readonly DomainEvent[]> => {
    const { items } = await database.platform(outboxCollection).query({
      orderBy: { field: 'committedAt', order: 'asc' },
      limit: 1_000,
    });
    return items
      .map(({ value }): DomainEvent => JSON.parse(value.event))
      .filter((event) => event.tenant === actor.tenant);
  };

  /** Delivers an event to a job, and then whatever the job emitted for itself, until nothing is left. */
  const drain = async (actor: Actor, job: Job<typeof services>, first: DomainEvent): Promise<void> => {
    const done = new Set<string>();
    for (let next: DomainEvent | undefined = first; next !== undefined; ) {
      done.add(next.id);
      await runJob(job, next, services);
      next = (await eventsOf(actor)).find((event) => job.eventTypes.includes(event.type) && !done.has(event.id));
    }
  };

  return {
    ...billing,
    services,
    clock,
    makeEvent,
    runJob,
    tenant,
    price,
    customer,
    subscribe,
    invoicesOf,
    eventsOf,
    drain,
  };
};
