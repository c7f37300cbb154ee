import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import type { Ledger } from '../ledger/ledger.service.ts';
import { type StripeKindName, stripeRecordChanged, stripeRefreshRequested } from './stripe.events.ts';
import type { StripeFact } from './stripe-facts.ts';
import type { Seen, StripeKind, StripeRecord, Times } from './stripe-kind.ts';
import type { StripeKinds } from './stripe-kinds.ts';
import type { StripeParked } from './stripe-parked.schema.ts';

/** Which object, and whose. */
export interface StripeTarget {
  readonly tenant: string;
  readonly account: string;
  readonly id: string;
}

export type Commit = <R>(work: (transaction: Transaction) => Promise<R> | R) => Promise<R>;

/** `coalesced`: what is stored was read after the event. `parked`: its customer has no record yet. */
export type Synced = 'stored' | 'coalesced' | 'parked' | 'ignored';

export interface StripeSync {
  /**
   * Makes our record what Stripe has now, and books what is so since. Reads our revision, then the object, and commits
   * only if the revision is still the same; else begins anew. So whatever the order and number of calls, the last one
   * to commit has read last.
   * `since`: the time of the event that asks for it, in milliseconds since the Unix epoch.
   */
  refresh(kind: StripeKindName, target: StripeTarget, commit: Commit, since?: number): Promise<Synced>;
}

export interface StripeSyncOptions {
  readonly client: StripeClient;
  readonly kinds: StripeKinds;
  readonly parked: TenantStore<StripeParked>;
  readonly ledger: Pick<Ledger, 'open' | 'postIn'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

interface Change<R> {
  readonly before: Stored<R> | undefined;
  readonly now: R;
  /** Those that are not booked yet. */
  readonly facts: readonly StripeFact[];
}

const attempts = 5;
/** How far the clocks of two instances may be apart. Milliseconds. */
const skew = 5_000;
/** Milliseconds. */
const parkedFor = 7 * 86_400_000;

const plain = (record: StripeRecord): string =>
  canonicalJson({ ...record, fetchedAt: '', updatedAt: '', booked: undefined });

/** Whether two records say the same of their object, whenever it was read. */
export const isSameRecord = (a: StripeRecord, b: StripeRecord): boolean => plain(a) === plain(b);

/** Which facts are not booked yet. */
export const unbookedOf = (stored: StripeRecord | undefined, facts: readonly StripeFact[]): readonly StripeFact[] => {
  const known = new Set(stored?.booked);
  return facts.filter(({ key }) => !known.has(key));
};

const isConflict = (error: unknown): boolean =>
  isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists') || isOmniError(error, 'not-found');

export const createStripeSync = (options: StripeSyncOptions): StripeSync => {
  const { client, kinds, parked, ledger, makeEvent, clock } = options;

  const fetch = async <R extends StripeRecord>(
    kind: StripeKind<R>,
    { account, id }: StripeTarget,
    times: Times,
  ): Promise<Seen<R> | undefined> => {
    try {
      return await client.call(account, undefined, (stripe, options) => kind.fetch(stripe, id, options, times));
    } catch (error) {
      if (isOmniError(error, 'not-found')) return undefined;
      throw error;
    }
  };

  /** Keeps it for the customer's sake, and has the customer looked for: that its event was lost must not matter. */
  const park = (transaction: Transaction, kind: StripeKindName, target: StripeTarget, customer: string): Synced => {
    const { tenant, account, id } = target;
    const expiresAt = isoTime(clock.now() + parkedFor);
    const entry = { kind, object: id, account, customer, expiresAt };
    transaction.increment(parked.of(tenant), `${kind}:${id}`, { seen: 1 }, entry);
    const data = { kind: 'customer' as const, id: customer, account };
    transaction.emit(makeEvent(stripeRefreshRequested, { tenant, subject: customer, data }));
    return 'parked';
  };

  /** The record, what is booked with it, and what is told of it. */
  const write = <R extends StripeRecord>(
    transaction: Transaction,
    kind: StripeKind<R>,
    target: StripeTarget,
    { before, now, facts }: Change<R>,
  ): Synced => {
    const { tenant, id } = target;
    const store = kind.records.of(tenant);
    const same = before !== undefined && isSameRecord(before.value, now);
    const booked = [...(before?.value.booked ?? []), ...facts.map(({ key }) => key)];
    const record = { ...now, ...(booked.length === 0 ? {} : { booked }) };
    if (before === undefined) transaction.create(store, id, record);
    else {
      const kept = same ? { ...record, updatedAt: before.value.updatedAt } : record;
      transaction.update(store, id, kept, { revision: before.revision });
    }
    const postings = facts.flatMap((fact) => fact.postings);
    if (postings.length > 0) ledger.postIn(transaction, tenant, postings);
    if (same) return 'stored';
    const data = { kind: kind.name, id, status: kind.statusOf(now), deleted: now.deleted };
    transaction.emit(makeEvent(stripeRecordChanged, { tenant, subject: id, data }));
    for (const event of kind.effects(target, now, before?.value)) transaction.emit(event);
    return 'stored';
  };

  const attempt = async <R extends StripeRecord>(
    kind: StripeKind<R>,
    target: StripeTarget,
    commit: Commit,
    since: number | undefined,
  ): Promise<Synced> => {
    const { tenant, id } = target;
    const before = await kind.records.of(tenant).get(id);
    if (before !== undefined && since !== undefined && Date.parse(before.value.fetchedAt) > since + skew) {
      return commit(() => 'coalesced');
    }
    const at = isoTime(clock.now());
    const times = { fetchedAt: at, updatedAt: at };
    const seen = await fetch(kind, target, times);
    const now = seen?.record ?? (before === undefined ? undefined : kind.tombstone({ ...before.value, ...times }));
    if (now === undefined || now.livemode !== client.livemode) return commit(() => 'ignored');
    if (before === undefined && (await kind.ofOthers?.(tenant, [{ id, record: now }]))?.has(id) === true) {
      return commit(() => 'ignored');
    }
    const customer = before === undefined ? kind.customerOf(now) : undefined;
    const facts = unbookedOf(before?.value, seen?.facts ?? []);
    await ledger.open(
      tenant,
      facts.flatMap(({ postings }) => postings),
    );
    return commit(async (transaction) => {
      if (customer !== undefined) {
        const known = await transaction.get(kinds.customer.records.of(tenant), customer);
        if (known === undefined) return park(transaction, kind.name, target, customer);
      }
      return write(transaction, kind, target, { before, now, facts });
    });
  };

  const refresh = async <R extends StripeRecord>(
    kind: StripeKind<R>,
    target: StripeTarget,
    commit: Commit,
    since: number | undefined,
  ): Promise<Synced> => {
    for (let made = 1; ; made += 1) {
      try {
        return await attempt(kind, target, commit, since);
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (made === attempts) throw new OmniError('unavailable', 'Others change this record at the same time.');
      }
    }
  };

  return {
    refresh: (name, target, commit, since) => {
      if (name === 'customer') return refresh(kinds.customer, target, commit, since);
      if (name === 'subscription') return refresh(kinds.subscription, target, commit, since);
      if (name === 'payment') return refresh(kinds.payment, target, commit, since);
      if (name === 'payout') return refresh(kinds.payout, target, commit, since);
      return refresh(kinds.invoice, target, commit, since);
    },
  };
};
