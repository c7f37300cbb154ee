import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { createDeadLetters, deadLetterCollection } from '../../events/dead-letters.ts';
import { eventMaker } from '../../events/define-event.ts';
import { createInbox, inboxCollection } from '../../events/inbox.ts';
import { createJobRunner } from '../../events/job-runner.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { nullLogger } from '../../telemetry/index.ts';
import { type StripeEventData, stripeSubscriptionReceived } from '../../webhooks/index.ts';
import { syncSubscription } from './subscription.jobs.ts';
import { subscriptionCollection } from './subscription.schema.ts';

const statuses = ['trialing', 'active', 'past_due', 'canceled'] as const;

/** A history of one subscription as Stripe would tell it; several events may share a second. */
const history = fc
  .array(fc.record({ after: fc.integer({ min: 0, max: 2 }), status: fc.constantFrom(...statuses) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((steps) => {
    let created = 1_780_000_000;
    return steps.map(({ after, status }, i) => {
      created += after;
      const last = i === steps.length - 1;
      const type = i === 0 ? 'created' : last ? 'deleted' : 'updated';
      return {
        id: `evt_${String(i).padStart(3, '0')}`,
        type: `customer.subscription.${type}`,
        account: 'platform',
        created,
        livemode: false,
        object: { id: 'sub_1', customer: 'cus_1', status, items: { data: [{ id: 'si', price: { id: 'p' } }] } },
      };
    });
  });

/** The same deliveries in any order, each one to three times. */
const deliveries = history.chain((events) =>
  fc
    .tuple(
      fc.constant(events),
      fc.shuffledSubarray(
        events.flatMap((event) => [event, event, event]),
        { minLength: events.length * 3, maxLength: events.length * 3 },
      ),
    )
    .map(([told, delivered]) => ({ told, delivered })),
);

const worker = (database: Database) => {
  const clock = manualClock();
  const entries = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const subscriptions = database.tenants(subscriptionCollection);
  const run = createJobRunner({
    database,
    inbox: createInbox({ entries, clock }),
    deadLetters: createDeadLetters({ database, letters, inbox: entries, clock }),
    logger: nullLogger,
  });
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId: (prefix) => prefix });
  return {
    state: async () => (await subscriptions.of('acme').get('sub_1'))?.value,
    deliver: (event: StripeEventData) =>
      run(
        syncSubscription,
        makeEvent(stripeSubscriptionReceived, { id: event.id, tenant: 'acme', subject: 'sub_1', data: event }),
        { subscriptions },
      ),
  };
};

describe('payments.sync-subscription', () => {
  it('ends in the state that the last event tells, whatever the order and number of deliveries', async () => {
    await fc.assert(
      fc.asyncProperty(deliveries, async ({ told, delivered }) => {
        const inOrder = worker(databaseOn(embeddedDriver(), {}));
        for (const event of told) await inOrder.deliver(event);
        const shuffled = worker(databaseOn(embeddedDriver(), {}));
        for (const event of delivered) await shuffled.deliver(event);
        expect(await shuffled.state()).toEqual(await inOrder.state());
        expect((await shuffled.state())?.version.event).toBe(told.at(-1)?.id);
      }),
      { numRuns: 100 },
    );
  });

  it('does so on Firestore when all come at once', async () => {
    const [told = []] = fc.sample(
      history.filter(({ length }) => length >= 4),
      { numRuns: 1, seed: 7 },
    );
    const { deliver, state } = worker(testDatabase());
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all(told.toReversed().map(deliver));
      if (outcomes.every((outcome) => outcome === 'done' || outcome === 'duplicate')) break;
    }
    expect((await state())?.version.event).toBe(told.at(-1)?.id);
  });

  it('reads the period from the items, and from the subscription where an old endpoint sends it there', async () => {
    const { deliver, state } = worker(databaseOn(embeddedDriver(), {}));
    const base = { type: 'customer.subscription.updated', account: 'platform', livemode: true };
    const item = { id: 'si', price: { id: 'p' } };
    const object = { id: 'sub_1', customer: { id: 'cus_9' }, status: 'active' };
    await deliver({
      ...base,
      id: 'e1',
      created: 1,
      object: { ...object, items: { data: [item] }, current_period_end: 86_400 },
    });
    expect(await state()).toMatchObject({ customer: 'cus_9', currentPeriodEnd: '1970-01-02T00:00:00.000Z' });
    const later = { ...item, current_period_end: 172_800 };
    await deliver({ ...base, id: 'e2', created: 2, object: { ...object, items: { data: [item, later] } } });
    expect(await state()).toMatchObject({ currentPeriodEnd: '1970-01-03T00:00:00.000Z' });
  });
});
