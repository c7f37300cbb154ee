import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { tenantCollection } from '../../store/collection.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import { stripeKindName, stripeRefreshRequested } from './stripe.events.ts';
import type { StripeKind, StripeRecord } from './stripe-kind.ts';
import type { StripeKinds } from './stripe-kinds.ts';
import { type StripeObject, stripeObjectOf } from './stripe-objects.ts';
import { isSameRecord, unbookedOf } from './stripe-sync.ts';

/** How far an account was reconciled, by the account's id. */
export const stripeReconciliationSchema = z.object({
  /** The last event that was looked at; undefined before the first. */
  lastEvent: z.string().optional(),
  /** The last object of each kind that was compared; absent at the beginning of a round. */
  sweep: z.partialRecord(stripeKindName, z.string()),
  updatedAt: z.iso.datetime(),
});
export type StripeReconciliation = z.infer<typeof stripeReconciliationSchema>;

export const stripeReconciliationCollection = tenantCollection<StripeReconciliation>({
  name: 'stripeReconciliations',
  schema: stripeReconciliationSchema,
});

export interface StripeReconciler {
  /**
   * Goes on through the account's events from where it last was, and compares a few pages of its objects with our
   * records. What differs is to be refreshed. Bounded; the next run goes on. Returns how many objects that were.
   */
  reconcile(of: { readonly tenant: string; readonly account: string }, signal: AbortSignal): Promise<number>;
}

export interface StripeReconcilerOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly states: TenantStore<StripeReconciliation>;
  readonly client: StripeClient;
  readonly kinds: StripeKinds;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const pageSize = 100;
const maxEventPages = 20;
const maxSweepPages = 5;
/** Seconds. Stripe may list an event a little after a younger one, so the youngest are looked at again. */
const settledAfter = 300;

const distinct = (found: readonly StripeObject[]): StripeObject[] => [
  ...new Map(found.map((one) => [`${one.kind}:${one.id}`, one])).values(),
];

export const createStripeReconciler = (options: StripeReconcilerOptions): StripeReconciler => {
  const { database, states, client, kinds, makeEvent, clock } = options;

  interface Progress {
    readonly tenant: string;
    readonly account: string;
    state: Stored<StripeReconciliation> | undefined;
    found: number;
  }

  /** What is found and how far that was, in one commit: a crash repeats a page, or nothing. */
  const keep = async (
    progress: Progress,
    found: readonly StripeObject[],
    change: Partial<StripeReconciliation>,
  ): Promise<void> => {
    const { tenant, account, state } = progress;
    const store = states.of(tenant);
    const before = state?.value ?? { sweep: {} };
    const value = { ...before, ...change, updatedAt: isoTime(clock.now()) };
    await database.transaction((transaction) => {
      if (state === undefined) transaction.create(store, account, value);
      else transaction.update(store, account, value, { revision: state.revision });
      for (const { kind, id } of found) {
        transaction.emit(makeEvent(stripeRefreshRequested, { tenant, subject: id, data: { kind, id, account } }));
      }
    });
    progress.state = await store.get(account);
    progress.found += found.length;
  };

  const eventsAfter = async (account: string, last: string | undefined) => {
    const from = last === undefined ? {} : { ending_before: last };
    const params = { limit: pageSize, ...from };
    try {
      return await client.call(account, undefined, (stripe, call) => stripe.events.list(params, call));
    } catch (error) {
      // Events are kept for 30 days: one that is older is not known any more. The sweep finds what was missed.
      if (isOmniError(error, 'invalid-request') && last !== undefined) return undefined;
      throw error;
    }
  };

  const throughEvents = async (progress: Progress, signal: AbortSignal): Promise<void> => {
    let last = progress.state?.value.lastEvent;
    for (let page = 0; page < maxEventPages && !signal.aborted; page += 1) {
      const events = await eventsAfter(progress.account, last);
      const settled = Math.floor(clock.now() / 1_000) - settledAfter;
      const newest = events?.data.find(({ created }) => created <= settled)?.id;
      const found = distinct(
        events?.data.flatMap(({ type, data }) => stripeObjectOf(type, { ...data.object }) ?? []) ?? [],
      );
      const goesOn = events?.has_more === true && last !== undefined && newest !== undefined;
      last = newest ?? (events === undefined ? undefined : last);
      await keep(progress, found, { lastEvent: last });
      if (!goesOn) return;
    }
  };

  const sweep = async <R extends StripeRecord>(
    progress: Progress,
    kind: StripeKind<R>,
    signal: AbortSignal,
  ): Promise<void> => {
    for (let page = 0; page < maxSweepPages && !signal.aborted; page += 1) {
      const after = progress.state?.value.sweep[kind.name];
      const at = isoTime(clock.now());
      const request = { limit: pageSize, ...(after === undefined ? {} : { starting_after: after }) };
      const times = { fetchedAt: at, updatedAt: at };
      const { items, last, hasMore } = await client.call(progress.account, undefined, (stripe, call) =>
        kind.list(stripe, request, call, times),
      );
      const ours = await kind.records.of(progress.tenant).getMany(items.map(({ id }) => id));
      const elsewhere = await kind.ofOthers?.(progress.tenant, items);
      const differing = items.filter(({ id, record, facts }, i) => {
        const stored = ours[i]?.value;
        if (elsewhere?.has(id) === true) return false;
        return stored === undefined || !isSameRecord(stored, record) || unbookedOf(stored, facts).length > 0;
      });
      const { [kind.name]: _, ...others } = progress.state?.value.sweep ?? {};
      const next = hasMore && last !== undefined ? { ...others, [kind.name]: last } : others;
      const found = differing.map(({ id }) => ({ kind: kind.name, id }));
      await keep(progress, found, { sweep: next });
      if (!hasMore) return;
    }
  };

  /** An object that was deleted is in no list: nothing to go on from. The round begins anew. */
  const sweepAnew = async <R extends StripeRecord>(
    progress: Progress,
    kind: StripeKind<R>,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      await sweep(progress, kind, signal);
    } catch (error) {
      if (!isOmniError(error, 'invalid-request')) throw error;
      const { [kind.name]: _, ...others } = progress.state?.value.sweep ?? {};
      await keep(progress, [], { sweep: others });
      await sweep(progress, kind, signal);
    }
  };

  return {
    reconcile: async ({ tenant, account }, signal) => {
      const progress: Progress = { tenant, account, state: await states.of(tenant).get(account), found: 0 };
      await throughEvents(progress, signal);
      // Customers first: the others wait for them.
      await sweepAnew(progress, kinds.customer, signal);
      await sweepAnew(progress, kinds.subscription, signal);
      await sweepAnew(progress, kinds.invoice, signal);
      await sweepAnew(progress, kinds.payment, signal);
      await sweepAnew(progress, kinds.payout, signal);
      return progress.found;
    },
  };
};
