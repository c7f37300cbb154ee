import type { EventType, MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, Transaction } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import { refreshDue } from '../payments/payment.events.ts';
import { worthOf } from './amounts.ts';
import { type ChainStep, readStep, scanId } from './chain-step.ts';
import type { Chain } from './chains.ts';
import { chainPollDue, valuationDue } from './onchain.events.ts';
import type { OnchainInvoice, OnchainScan, OnchainWatch, Tier } from './onchain.schema.ts';
import { afterReading, seenKey, withDecisions } from './onchain.state.ts';
import type { Onchain } from './onchain.ts';

export interface OnchainJobServices {
  readonly onchain: Onchain;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  readonly logger: Logger;
}

export const openAddresses = defineSchedule({ name: 'onchain-open-addresses', cron: '* * * * *' });
export const closedAddresses = defineSchedule({ name: 'onchain-closed-addresses', cron: '23 * * * *' });

/** Steps of one timer: with `blockRange` the most that a chain is read further until the next one. */
const stepsAtOnce = 60;
/** Milliseconds after which a timer takes up what a worker has left. */
const leftAfter = 45_000;

/** Each chain is read for itself, so that one that does not answer keeps up no other. */
export const startChainPolls = defineJob({
  name: 'payments.start-chain-polls',
  on: [openAddresses.event, closedAddresses.event],
  handle: async ({ time, type }, { commit }, { onchain, makeEvent }: OnchainJobServices) => {
    const tier: Tier = type === closedAddresses.event.type ? 'closed' : 'open';
    await commit((transaction) => {
      for (const { name } of onchain.chains) {
        const id = derivedId('evt', 'chain-poll', name, tier, time);
        const data = { chain: name, tier, step: null, left: stepsAtOnce };
        transaction.emit(makeEvent(chainPollDue, { id, tenant: platformTenant, subject: name, data }));
      }
    });
  },
});

interface Touched {
  readonly watch: Stored<OnchainWatch>;
  readonly nextWatch: OnchainWatch | undefined;
  readonly invoice: Stored<OnchainInvoice> | undefined;
  readonly nextInvoice: OnchainInvoice | undefined;
}

const invoicesOf = async (onchain: Onchain, watches: readonly Stored<OnchainWatch>[]) => {
  const byTenant = Map.groupBy(watches, ({ value }) => value.tenant);
  const found = await Promise.all(
    [...byTenant].map(([tenant, all]) => onchain.invoices.of(tenant).getMany(all.map(({ value }) => value.invoice))),
  );
  return new Map(found.flat().flatMap((stored) => (stored === undefined ? [] : [[stored.id, stored] as const])));
};

/** What a step changes of the invoices whose addresses it read. */
const touchedBy = async (
  onchain: Onchain,
  step: ChainStep,
  chain: Chain,
  tier: Tier,
  now: number,
): Promise<Touched[]> => {
  const readTo = Date.parse(step.round.at);
  const considered = step.watches.items.flatMap((watch) => {
    const { address, deadline, until, seen: before } = watch.value;
    const arrived = step.arrivals.get(address) ?? [];
    const closes = tier === 'open' && readTo > Date.parse(deadline);
    const isOver = tier === 'closed' && readTo > Date.parse(until);
    const seen = closes ? [] : step.seen === undefined ? undefined : (step.seen.get(address) ?? []);
    const isChanged = arrived.length > 0 || closes || isOver || (seen !== undefined && seenKey(seen) !== before);
    return isChanged ? [{ watch, arrived, seen, closes, isOver }] : [];
  });
  const invoices = await invoicesOf(
    onchain,
    considered.map(({ watch }) => watch),
  );
  return considered.map(({ watch, arrived, seen, closes, isOver }) => {
    const invoice = invoices.get(watch.value.invoice);
    const scan = scanId(chain.name, closes ? 'closed' : tier);
    const nextWatch = { ...watch.value, scan, seen: seen === undefined ? watch.value.seen : seenKey(seen) };
    const isGone = isOver || invoice === undefined;
    const nextInvoice = invoice && afterReading(invoice.value, { arrived, seen, closes }, now);
    return { watch, nextWatch: isGone ? undefined : nextWatch, invoice, nextInvoice };
  });
};

const isSame = (a: OnchainInvoice, b: OnchainInvoice): boolean =>
  a.transfers.length === b.transfers.length &&
  a.uncounted === b.uncounted &&
  a.closedAt === b.closedAt &&
  seenKey(a.seen) === seenKey(b.seen);

const writeTouched = (
  transaction: Transaction,
  { onchain, makeEvent }: OnchainJobServices,
  { watch, nextWatch, invoice, nextInvoice }: Touched,
  key: string,
): void => {
  const { revision } = watch;
  const { tenant } = watch.value;
  if (nextWatch === undefined) transaction.delete(onchain.watches, watch.id, { revision });
  else if (nextWatch.scan !== watch.value.scan || nextWatch.seen !== watch.value.seen) {
    transaction.update(onchain.watches, watch.id, nextWatch, { revision });
  }
  if (invoice === undefined || nextInvoice === undefined || isSame(invoice.value, nextInvoice)) return;
  transaction.update(onchain.invoices.of(tenant), invoice.id, nextInvoice, { revision: invoice.revision });
  const emit = <D extends Readonly<Record<string, unknown>>>(type: EventType<D>, subject: string, data: D) =>
    transaction.emit(makeEvent(type, { id: derivedId('evt', type.type, key, subject), tenant, subject, data }));
  emit(refreshDue, nextInvoice.payment, { payment: nextInvoice.payment });
  const isUnvalued = nextInvoice.transfers.some(({ kind, value }) => kind !== 'in-time' && value === null);
  if (isUnvalued) emit(valuationDue, invoice.id, { invoice: invoice.id });
};

/** Where a chain is after a step: at the next page of addresses, or at the end of the round. */
const afterStep = (scan: OnchainScan | undefined, step: ChainStep, now: number): OnchainScan => {
  const { round, done, latest, watches } = step;
  const next = { latest, step: (scan?.step ?? 0) + 1, quietUntil: null, movedAt: isoTime(now) };
  const page = watches.nextCursor;
  if (page !== null) return { ...next, done, round: { ...round, page } };
  // Nobody waits for anything: there is nothing to be read in between.
  const isIdle = round.page === null && watches.items.length === 0;
  return { ...next, done: isIdle ? round.finalized : round.to, round: null };
};

const minutes = 60_000;

/**
 * Reads a chain one step further: a range of final blocks, and those that are not final yet, for a page of addresses.
 * What both nodes say of them, how far it was read, and the next step are one commit; of two workers on one step one
 * commits. Where the nodes disagree or do not answer, nothing happens until the next timer.
 */
export const pollChain = defineJob({
  name: 'payments.poll-chain',
  on: [chainPollDue],
  timeout: 120,
  handle: async ({ data }, { commit }, services: OnchainJobServices) => {
    const { onchain, makeEvent, clock, logger } = services;
    const { tier } = data;
    const chain = onchain.chains.find(({ name }) => name === data.chain);
    if (chain === undefined) return;
    const id = scanId(chain.name, tier);
    const now = clock.now();
    const stored = await onchain.scans.get(id);
    const scan = stored?.value;
    if (!isDue(scan, data.step, now)) return;
    const openDone = tier === 'open' ? undefined : (await onchain.scans.get(scanId(chain.name, 'open')))?.value.done;
    const { watches } = onchain;
    const step = await readStep({ chain, tier, reader: onchain.reader(chain), watches, scan, openDone }).catch(
      async (error: unknown) => {
        if (isOmniError(error, 'rate-limited') && stored !== undefined) {
          const quietUntil = isoTime(now + Math.max(minutes, (error.retryAfter ?? 0) * 1_000));
          await onchain.scans.update(id, { ...stored.value, quietUntil }, stored);
        } else if (!isOmniError(error, 'unavailable') && !isOmniError(error, 'precondition-failed')) throw error;
        logger.warn('A chain could not be read further.', { chain: chain.name, tier, reason: String(error) });
        return undefined;
      },
    );
    if (step === undefined) return;
    const touched = await touchedBy(onchain, step, chain, tier, now);
    const next = afterStep(scan, step, now);
    await commit((transaction) => {
      if (stored === undefined) {
        transaction.create(onchain.scans, id, next);
        const closed = { ...next, done: step.done, round: null };
        transaction.create(onchain.scans, scanId(chain.name, 'closed'), closed);
      } else transaction.update(onchain.scans, id, next, { revision: stored.revision });
      const key = `${id}:${next.step}`;
      for (const one of touched) writeTouched(transaction, services, one, key);
      if (data.left === 0 || (next.round === null && next.done >= step.round.finalized)) return;
      const more = { ...data, step: next.step, left: data.left - 1 };
      const event = derivedId('evt', 'chain-poll', key);
      transaction.emit(makeEvent(chainPollDue, { id: event, tenant: platformTenant, subject: chain.name, data: more }));
    });
  },
});

/** A step follows the one that it names. A timer begins, or goes on where nobody has for a while. */
const isDue = (scan: OnchainScan | undefined, step: number | null, now: number): boolean => {
  if (scan === undefined) return step === null;
  if (scan.quietUntil !== null && Date.parse(scan.quietUntil) > now) return false;
  if (step !== null) return scan.step === step;
  return scan.round === null || Date.parse(scan.movedAt) + leftAfter <= now;
};

/** Finds out what late transfers, and those of other assets, were worth when they were found. */
export const valueTransfers = defineJob({
  name: 'payments.value-transfers',
  on: [valuationDue],
  maxAttempts: 15,
  handle: async ({ tenant, data }, { commit }, { onchain, makeEvent, clock, logger }: OnchainJobServices) => {
    const stored = await onchain.invoices.of(tenant).get(data.invoice);
    if (stored === undefined) return;
    const { id, revision, value: invoice } = stored;
    const tokens = onchain.chains.find(({ name }) => name === invoice.chain)?.tokens ?? [];
    const transfers = await Promise.all(
      invoice.transfers.map(async (transfer) => {
        const token = tokens.find(({ symbol }) => symbol === transfer.token);
        if (transfer.kind === 'in-time' || transfer.value !== null || token === undefined) return transfer;
        try {
          const { price } = await onchain.rates.rate(token, invoice.currency);
          const pricing = { price, decimals: token.decimals };
          return { ...transfer, value: worthOf(BigInt(transfer.units), invoice.currency, pricing).amount };
        } catch (error) {
          if (!isOmniError(error, 'invalid-request')) throw error;
          logger.warn('A transfer has no price.', { token: token.symbol, currency: invoice.currency });
          return transfer;
        }
      }),
    );
    const valued = transfers.filter(({ value }, i) => value !== null && invoice.transfers[i]?.value === null);
    if (valued.length === 0) return;
    await commit((transaction) => {
      const next = withDecisions({ ...invoice, transfers }, clock.now());
      transaction.update(onchain.invoices.of(tenant), id, next, { revision });
      const { payment } = invoice;
      const event = derivedId('evt', 'valued', tenant, ...valued.map((one) => one.id));
      transaction.emit(makeEvent(refreshDue, { id: event, tenant, subject: payment, data: { payment } }));
    });
  },
});

export const onchainJobs = [startChainPolls, pollChain, valueTransfers];
export const onchainSchedules = [openAddresses, closedAddresses];
