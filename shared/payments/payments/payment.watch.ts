import { isoTime } from '../../kernel/clock.ts';
import type { Store, Transaction } from '../../store/store.ts';
import { isSettled } from './payment.merge.ts';
import type { Payment, PaymentWatch } from './payment.schema.ts';

/** Milliseconds until a payment that waits for its gateway, or for its payer, is first looked after. */
const first = { asked: 120_000, others: 900_000 };
const longest = 86_400_000;

/**
 * Milliseconds after which a payment that its payer did nothing about is given up. It is longer than any means of
 * payment gives a payer, such as a slip to be paid at a bank.
 */
export const abandonedAfter = 30 * 86_400_000;

export const watchId = (tenant: string, payment: string): string => `${payment}~${tenant}`;

const isAsked = ({ status, refunds }: Payment): boolean =>
  status === 'created' || refunds.some((refund) => refund.status === 'created');

/** What is waited for, in short: a payment for which it is the same has come no further. */
const stage = ({ status, facts, refunds }: Payment): string =>
  JSON.stringify([status, facts.length, refunds.map((refund) => refund.status)]);

/** Has a payment looked after from now on, at first soon. */
export const startWatch = (
  transaction: Transaction,
  watches: Store<PaymentWatch>,
  watch: { tenant: string; id: string; account: string | null; now: number; wait: keyof typeof first },
): void => {
  const { tenant, id, account, now, wait } = watch;
  const times = { since: isoTime(now), dueAt: isoTime(now + first[wait]) };
  const fields = { tenant, payment: id, ...(account === null ? {} : { account }), ...times };
  transaction.increment(watches, watchId(tenant, id), { rounds: 1 }, fields);
};

/**
 * Keeps the watch of a payment that was changed: none where nothing is waited for, a new one where it has come further.
 * One that has not is looked at ever less often, so its watch is left as the sweep has set it.
 */
export const keepWatch = (
  transaction: Transaction,
  watches: Store<PaymentWatch>,
  change: { tenant: string; id: string; before: Payment; next: Payment; now: number },
): void => {
  const { tenant, id, before, next, now } = change;
  if (isSettled(next)) transaction.delete(watches, watchId(tenant, id));
  else if (stage(before) !== stage(next)) {
    const { account } = next;
    startWatch(transaction, watches, { tenant, id, account, now, wait: isAsked(next) ? 'asked' : 'others' });
  }
};

/** The watch for the time after a look at the payment: it waits as long again as it has waited, at most a day. */
export const nextWatch = (watch: PaymentWatch, now: number): PaymentWatch => {
  const waited = now - Date.parse(watch.since ?? watch.dueAt);
  const pause = Math.min(Math.max(waited, first.asked), longest);
  return { ...watch, rounds: watch.rounds + 1, dueAt: isoTime(now + pause) };
};
