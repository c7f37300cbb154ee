import { isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import { type Money, money, sum } from '../../kernel/money.ts';
import type { GatewayPayment, GatewayReceipt, PaymentStatus } from '../gateways/gateway.ts';
import { sumOf, worthOf } from './amounts.ts';
import { maxTransfers, type OnchainInvoice, type OnchainTransfer, type SeenTransfer } from './onchain.schema.ts';

/** Milliseconds after the lock in which a transfer still counts as in time: it was sent before it was in a block. */
export const grace = 120_000;
/** Milliseconds for which an address is looked at after its time. */
export const lateFor = 30 * 86_400_000;

/** Milliseconds by which a chain's clock may be behind ours. What is older than its address was sent to somebody else. */
const skew = 120_000;

export const invoiceId = (payment: string): string => derivedId('oci', payment);

export const deadlineOf = ({ expiresAt }: Pick<OnchainInvoice, 'expiresAt'>): number => Date.parse(expiresAt) + grace;

/** A receipt with what there is of it in the token. */
export interface OnchainReceipt extends GatewayReceipt {
  readonly token: string;
  readonly units: bigint;
  readonly from: string;
}

const inTime = ({ transfers }: OnchainInvoice): readonly OnchainTransfer[] =>
  transfers.filter(({ kind }) => kind === 'in-time');

/** All that was asked for came in time, and is final. */
const isPaid = (invoice: OnchainInvoice): boolean => sumOf(inTime(invoice)) >= BigInt(invoice.units);

interface Part {
  readonly transfer: OnchainTransfer;
  readonly kind: GatewayReceipt['kind'];
  readonly units: bigint;
  readonly value: number | null;
}

const lockedValue = (invoice: OnchainInvoice, units: bigint): number => {
  const { currency, decimals, rate } = invoice;
  return worthOf(units, currency, { price: rate.price, decimals }).amount;
};

/** What came beyond what was asked for, transfer by transfer, in the order of the chain. */
const surplusOf = (invoice: OnchainInvoice): readonly Part[] => {
  let missing = BigInt(invoice.units);
  return inTime(invoice).flatMap((transfer): Part[] => {
    const units = BigInt(transfer.units);
    const over = units > missing ? units - missing : 0n;
    missing = units > missing ? 0n : missing - units;
    return over === 0n ? [] : [{ transfer, kind: 'surplus', units: over, value: lockedValue(invoice, over) }];
  });
};

/** What came of an invoice whose time is over, and was not enough. */
const partialsOf = (invoice: OnchainInvoice): readonly Part[] =>
  inTime(invoice).map((transfer) => {
    const units = BigInt(transfer.units);
    return { transfer, kind: 'partial', units, value: lockedValue(invoice, units) };
  });

/** Everything that nobody asked for so. What is worth less than a minor unit, or has no price yet, is not among it. */
export const receiptsOf = (invoice: OnchainInvoice): readonly OnchainReceipt[] => {
  const isOver = invoice.closedAt !== null || invoice.canceledAt !== null;
  const unasked = invoice.transfers.flatMap((transfer): Part[] => {
    const { kind, units, value } = transfer;
    return kind === 'in-time' ? [] : [{ transfer, kind, units: BigInt(units), value }];
  });
  const asked = isPaid(invoice) ? surplusOf(invoice) : isOver ? partialsOf(invoice) : [];
  return [...asked, ...unasked].flatMap(({ transfer, kind, units, value }) => {
    if (value === null || value === 0) return [];
    const decision = invoice.decisions.find(({ receipt }) => receipt === transfer.id);
    const amount = money(value, invoice.currency);
    const { id: reference, token, from } = transfer;
    return [{ reference, kind, amount, units, token, from, status: decision?.what ?? 'held' }];
  });
};

const statusOf = (invoice: OnchainInvoice, accepted: boolean, now: number): PaymentStatus => {
  if (isPaid(invoice) || accepted) return 'captured';
  if (invoice.canceledAt !== null) return 'canceled';
  if (invoice.closedAt !== null) return 'expired';
  const isThere = missingOf(invoice) === 0n;
  // The time is over, but blocks that were made in time are not all final yet.
  return isThere || now > Date.parse(invoice.expiresAt) ? 'pending' : 'requires-action';
};

/** What the payer has still to send, as far as anything is seen. */
export const missingOf = (invoice: OnchainInvoice): bigint => {
  const own = invoice.seen.filter(({ token }) => token === invoice.token);
  const missing = BigInt(invoice.units) - sumOf(inTime(invoice)) - sumOf(own);
  return missing > 0n ? missing : 0n;
};

/** The invoice as a gateway tells it. Pure. */
export const paymentOf = (reference: string, invoice: OnchainInvoice, now: number): GatewayPayment => {
  const { currency } = invoice;
  const receipts = receiptsOf(invoice);
  const accepted = receipts.filter(({ status }) => status === 'accepted').map(({ amount }) => amount);
  const status = statusOf(invoice, accepted.length > 0, now);
  const amount = money(invoice.amount, currency);
  const captured: Money = sum([...(isPaid(invoice) ? [amount] : []), ...accepted], currency);
  return {
    reference,
    payment: invoice.payment,
    status,
    amount,
    captured,
    refunds: invoice.refunds.map(({ id, amount: refunded, transaction }) => ({
      reference: id,
      refund: id,
      amount: money(refunded, currency),
      status: transaction === null ? 'pending' : 'succeeded',
    })),
    disputes: [],
    receipts: receipts.map(({ reference: receipt, kind, amount: value, status: decided }) => ({
      reference: receipt,
      kind,
      amount: value,
      status: decided,
    })),
    ...(status === 'requires-action' ? { nextAction: transferOf(invoice) } : {}),
    livemode: invoice.livemode,
  };
};

const transferOf = (invoice: OnchainInvoice): NonNullable<GatewayPayment['nextAction']> => ({
  kind: 'transfer',
  address: invoice.address,
  network: invoice.chain,
  asset: invoice.token,
  units: missingOf(invoice).toString(),
  expiresAt: invoice.expiresAt,
});

/** A transfer to an invoice's address, with the symbol of its token. */
export interface Arrival extends SeenTransfer {
  /** Of its block; milliseconds since the Unix epoch. */
  readonly at: number;
  /** The currency that its token stands for. */
  readonly currency: string;
  readonly decimals: number;
}

const record = (invoice: OnchainInvoice, arrival: Arrival): OnchainTransfer => {
  const { at, currency, decimals, ...transfer } = arrival;
  const isInTime = at <= deadlineOf(invoice) && invoice.canceledAt === null;
  const kind = transfer.token !== invoice.token ? 'other-asset' : isInTime ? 'in-time' : 'late';
  // In its own currency a stablecoin is at par. Else somebody has to be asked for a price.
  const isAtPar = kind !== 'in-time' && currency === invoice.currency;
  const value = isAtPar ? worthOf(BigInt(transfer.units), currency, { price: '1', decimals }).amount : null;
  return { ...transfer, at: isoTime(at), kind, value };
};

export interface Reading {
  /** Final. */
  readonly arrived: readonly Arrival[];
  /** Not final yet, all of it; undefined where this was not looked at. */
  readonly seen: readonly SeenTransfer[] | undefined;
  /** Every block that was made in time is read. */
  readonly closes: boolean;
}

/** What is seen, by ids. */
export const seenKey = (seen: readonly { readonly id: string }[]): string =>
  seen.length === 0 ? '' : derivedId('seen', ...seen.map(({ id }) => id));

/** The invoice after a reading of its chain. The same reading again changes nothing. */
export const afterReading = (invoice: OnchainInvoice, reading: Reading, now: number): OnchainInvoice => {
  const known = new Set(invoice.transfers.map(({ id }) => id));
  const earliest = Date.parse(invoice.createdAt) - skew;
  const fresh = reading.arrived.filter(({ id, at }) => !known.has(id) && at >= earliest);
  const room = Math.max(0, maxTransfers - invoice.transfers.length);
  const transfers = [...invoice.transfers, ...fresh.slice(0, room).map((arrival) => record(invoice, arrival))];
  const isFinal = new Set(transfers.map(({ id }) => id));
  const next: OnchainInvoice = {
    ...invoice,
    transfers,
    uncounted: invoice.uncounted + Math.max(0, fresh.length - room),
    seen: (reading.seen ?? invoice.seen).filter(({ id }) => !isFinal.has(id)).slice(0, maxTransfers),
    closedAt: invoice.closedAt ?? (reading.closes ? isoTime(now) : null),
  };
  return withDecisions(next, now);
};

/** Keeps `undecided` true to what there is. */
export const withDecisions = (invoice: OnchainInvoice, now: number): OnchainInvoice => ({
  ...invoice,
  undecided: receiptsOf(invoice).some(({ status }) => status === 'held'),
  updatedAt: isoTime(now),
});
