import type Stripe from 'stripe';
import { isoTime } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { TenantStore } from '../../store/store.ts';
import type { StripeCallOptions } from '../gateways/stripe.client.ts';
import type { StripeKindName } from './stripe.events.ts';
import type { StripeFact } from './stripe-facts.ts';

export interface Times {
  readonly fetchedAt: string;
  readonly updatedAt: string;
}

export interface StripeRecord extends Times {
  readonly livemode: boolean;
  readonly deleted: boolean;
  /** Keys of the facts that are booked. */
  readonly booked?: readonly string[] | undefined;
}

/** What Stripe said of an object. */
export interface Seen<R> {
  readonly record: R;
  readonly facts: readonly StripeFact[];
}

export interface PageOf<R> {
  /** A list may not tell all facts of an object; those that it tells are so. */
  readonly items: readonly ({ readonly id: string } & Seen<R>)[];
  /** Of all that were listed, also those that nothing is kept of. */
  readonly last: string | undefined;
  readonly hasMore: boolean;
}

export interface ListRequest {
  readonly limit: number;
  readonly starting_after?: string;
}

/** One kind of Stripe's objects that we keep records of. */
export interface StripeKind<R extends StripeRecord> {
  readonly name: StripeKindName;
  readonly records: TenantStore<R>;
  /** Fails with `not-found` where Stripe has none; undefined where nothing is kept of it. */
  readonly fetch: (
    stripe: Stripe,
    id: string,
    options: StripeCallOptions,
    times: Times,
  ) => Promise<Seen<R> | undefined>;
  readonly list: (stripe: Stripe, request: ListRequest, options: StripeCallOptions, times: Times) => Promise<PageOf<R>>;
  /** What remains of a record whose object is gone. */
  readonly tombstone: (record: R) => R;
  readonly customerOf: (record: R) => string | undefined;
  readonly statusOf: (record: R) => string | null;
  /** The ids of those that are kept, and booked, elsewhere. One read for all. */
  readonly ofOthers?: (
    tenant: string,
    items: readonly { readonly id: string; readonly record: R }[],
  ) => Promise<ReadonlySet<string>>;
  /** What follows from a state once, under its natural key: however the state came about, it is the same event. */
  readonly effects: (target: StripeEffectTarget, after: R, before: R | undefined) => readonly DomainEvent[];
}

export interface StripeEffectTarget {
  readonly tenant: string;
  readonly account: string;
  readonly id: string;
}

/** The same event for the same thing, however it was found out. */
export const effectId = (effect: string, { account, id }: StripeEffectTarget): string =>
  derivedId('evt', 'stripe', effect, account, id);

/** ISO 8601 of Stripe's seconds. */
export const iso = (at: number | null | undefined): string | null => (at == null ? null : isoTime(at * 1_000));

export const idOf = (value: string | { readonly id: string } | null | undefined): string | null =>
  typeof value === 'string' ? value : (value?.id ?? null);
