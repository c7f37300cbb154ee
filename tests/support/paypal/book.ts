import type { Clock } from '#shared/kernel/clock.ts';
import { createPurses, type PayableBreakdown, type ReceivableBreakdown } from './purses.ts';
import { type Amount, cents, ofCents, PayPalRefusal } from './schema.ts';

export interface Authorisation {
  readonly id: string;
  status: string;
  readonly amount: Amount;
}
export interface Capture {
  readonly id: string;
  status: string;
  readonly amount: Amount;
  /** Not while it is pending. */
  seller_receivable_breakdown?: ReceivableBreakdown;
  readonly create_time: string;
}
export interface Refund {
  readonly id: string;
  status: string;
  readonly amount: Amount;
  readonly custom_id?: string | undefined;
  readonly seller_payable_breakdown: PayableBreakdown & { readonly total_refunded_amount: Amount };
  readonly links: readonly object[];
  readonly create_time: string;
}
export interface Dispute {
  readonly dispute_id: string;
  readonly create_time: string;
  status: string;
  readonly reason: string;
  readonly dispute_amount: Amount;
  readonly disputed_transactions: readonly { readonly seller_transaction_id: string }[];
  dispute_outcome?: { readonly outcome_code: string; readonly amount_refunded?: Amount };
}

export interface PayPalOrder {
  readonly id: string;
  readonly merchant: string;
  readonly intent: 'CAPTURE' | 'AUTHORIZE';
  status: string;
  readonly customId: string | undefined;
  readonly amount: Amount;
  /** What becomes of it when it is taken. */
  outcome: 'completed' | 'declined' | 'pending';
  readonly authorizations: Authorisation[];
  readonly captures: Capture[];
  readonly refunds: Refund[];
  readonly disputes: Dispute[];
}

export interface PayPalEvent {
  readonly id: string;
  readonly merchant: string;
  readonly event_type: string;
  readonly create_time: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

export const took = new Set(['COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED']);
const api = 'https://api-m.sandbox.paypal.com';
const upTo = (capture: string) => [{ href: `${api}/v2/payments/captures/${capture}`, rel: 'up', method: 'GET' }];

/** The orders of all merchants, what became of them, and what they are told of it. */
const createOrders = (clock: Clock) => {
  const orders = new Map<string, PayPalOrder>();
  const events: PayPalEvent[] = [];
  const purses = createPurses();
  /** What is held back for disputes that are open, by their ids. */
  const holds = new Map<string, Amount>();
  let last = 0;
  const newId = (): string => {
    last += 1;
    return `${String(last).padStart(13, '0')}PAYPAL`.slice(-17).split('').reverse().join('');
  };
  const now = (): string => new Date(clock.now()).toISOString();

  /** Without `supplementary_data`, as PayPal tells of some things. */
  const tellPlainly = (event_type: string, { merchant }: PayPalOrder, resource: object): void => {
    events.push({ id: `WH-${newId()}`, merchant, event_type, create_time: now(), resource: { ...resource } });
  };
  const related = ({ id }: PayPalOrder) => ({ supplementary_data: { related_ids: { order_id: id } } });
  const tell = (event_type: string, order: PayPalOrder, resource: object): void =>
    tellPlainly(event_type, order, { ...resource, ...related(order) });

  const find = (id: string, merchant?: string): PayPalOrder => {
    const order = orders.get(id);
    const isTheirs = merchant === undefined || order?.merchant === merchant;
    if (order === undefined || !isTheirs) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return order;
  };
  const findWith = (merchant: string, has: (order: PayPalOrder) => boolean): PayPalOrder => {
    const order = [...orders.values()].find((one) => one.merchant === merchant && has(one));
    if (order === undefined) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return order;
  };

  const capture = (order: PayPalOrder, amount: Amount): Capture => {
    const isPending = order.outcome === 'pending';
    const one: Capture = {
      id: newId(),
      status: isPending ? 'PENDING' : 'COMPLETED',
      amount,
      ...(isPending ? {} : { seller_receivable_breakdown: purses.credit(order.merchant, amount) }),
      create_time: now(),
    };
    order.captures.push(one);
    order.status = 'COMPLETED';
    tell(`PAYMENT.CAPTURE.${one.status}`, order, one);
    return one;
  };

  /** What is pending comes, or does not. */
  const settle = (id: string, comes: boolean): void => {
    const order = find(id);
    const pending = order.captures.find(({ status }) => status === 'PENDING');
    if (pending === undefined) throw new PayPalRefusal(422, 'NOT_PENDING');
    pending.status = comes ? 'COMPLETED' : 'DECLINED';
    if (comes) pending.seller_receivable_breakdown = purses.credit(order.merchant, pending.amount);
    tell(comes ? 'PAYMENT.CAPTURE.COMPLETED' : 'PAYMENT.CAPTURE.DENIED', order, pending);
  };

  const given = ({ refunds }: Pick<PayPalOrder, 'refunds'>): number =>
    refunds.filter(({ status }) => status !== 'FAILED').reduce((sum, { amount }) => sum + cents(amount), 0);
  const disputed = ({ disputes }: PayPalOrder): number =>
    disputes.filter(({ status }) => status !== 'RESOLVED').reduce((sum, one) => sum + cents(one.dispute_amount), 0);
  const takenOf = (order: PayPalOrder): Capture => {
    const taken = order.captures.find(({ status }) => took.has(status));
    if (taken === undefined) throw new PayPalRefusal(422, 'CAPTURE_STATUS_NOT_VALID');
    return taken;
  };
  const ofCapture = ({ refunds }: PayPalOrder, { id }: Capture): Refund[] =>
    refunds.filter(({ links }) => JSON.stringify(links) === JSON.stringify(upTo(id)));
  const mark = (order: PayPalOrder, taken: Capture): void => {
    const sum = given({ refunds: ofCapture(order, taken) });
    taken.status = sum === 0 ? 'COMPLETED' : sum < cents(taken.amount) ? 'PARTIALLY_REFUNDED' : 'REFUNDED';
  };
  const refund = (
    order: PayPalOrder,
    amount: Amount,
    how: { customId?: string | undefined; type: string; status: string },
    taken = takenOf(order),
  ) => {
    if (!took.has(taken.status)) throw new PayPalRefusal(422, 'CAPTURE_STATUS_NOT_VALID');
    const left = cents(taken.amount) - given({ refunds: ofCapture(order, taken) });
    if (left === 0) throw new PayPalRefusal(422, 'CAPTURE_FULLY_REFUNDED');
    if (cents(amount) > left) throw new PayPalRefusal(422, 'REFUND_AMOUNT_EXCEEDED');
    const { customId: custom_id, status } = how;
    const total_refunded_amount = ofCents(cents(taken.amount) - left + cents(amount), amount.currency_code);
    const seller_payable_breakdown = { ...purses.debit(order.merchant, amount), total_refunded_amount };
    const common = { id: newId(), status, amount, custom_id, seller_payable_breakdown };
    const one: Refund = { ...common, links: upTo(taken.id), create_time: now() };
    order.refunds.push(one);
    mark(order, taken);
    tellPlainly(how.type, order, one);
    return one;
  };

  /** The merchant gives something back on PayPal's own pages; `slow` waits for the payer's bank. */
  const refundByHand = (id: string, value: number, slow = false): Refund => {
    const order = find(id);
    if (value > cents(takenOf(order).amount) - given(order) - disputed(order)) {
      throw new PayPalRefusal(422, 'REFUND_AMOUNT_EXCEEDED');
    }
    const [type, status] = slow ? ['PAYMENT.REFUND.PENDING', 'PENDING'] : ['PAYMENT.CAPTURE.REFUNDED', 'COMPLETED'];
    return refund(order, ofCents(value, order.amount.currency_code), { type, status });
  };
  const failRefund = (id: string): void => {
    const order = find(id);
    const slow = order.refunds.find(({ status }) => status === 'PENDING');
    if (slow === undefined) throw new PayPalRefusal(422, 'NOT_PENDING');
    slow.status = 'FAILED';
    purses.restore(order.merchant, slow.seller_payable_breakdown);
    const taken = order.captures.find((capture) => ofCapture(order, capture).includes(slow));
    if (taken !== undefined) mark(order, taken);
    tellPlainly('PAYMENT.REFUND.FAILED', order, slow);
  };

  const finishRefund = (id: string): void => {
    const order = find(id);
    const slow = order.refunds.find(({ status }) => status === 'PENDING');
    if (slow === undefined) throw new PayPalRefusal(422, 'NOT_PENDING');
    slow.status = 'COMPLETED';
    tellPlainly('PAYMENT.CAPTURE.REFUNDED', order, slow);
  };

  /** The payer agrees, with means that work, are declined, or take a while. */
  const approve = (id: string, outcome: PayPalOrder['outcome'] = 'completed'): void => {
    const order = find(id);
    if (order.status !== 'PAYER_ACTION_REQUIRED') throw new PayPalRefusal(422, 'ORDER_ALREADY_APPROVED');
    order.status = 'APPROVED';
    order.outcome = outcome;
    tellPlainly('CHECKOUT.ORDER.APPROVED', order, { id, intent: order.intent, status: order.status });
  };

  /** What a merchant has of each currency: in all, and held back for disputes. In cents. */
  const balances = (merchant: string): ReadonlyMap<string, { readonly total: number; readonly withheld: number }> => {
    const disputes = [...orders.values()].filter((one) => one.merchant === merchant).flatMap((one) => one.disputes);
    const held = disputes.flatMap(({ dispute_id }) => holds.get(dispute_id) ?? []);
    const withheld = (currency: string): number =>
      held.filter(({ currency_code }) => currency_code === currency).reduce((sum, one) => sum + cents(one), 0);
    return new Map(
      [...purses.totalsOf(merchant)].map(([currency, total]) => [currency, { total, withheld: withheld(currency) }]),
    );
  };

  return {
    ...{ orders, events, newId, tell, find, findWith, related, capture, refund, approve, settle, balances, takenOf },
    ...{ refundByHand, failRefund, finishRefund, given, disputed, tellPlainly, now, holds, purses },
    keepOnly: purses.keepOnly,
  };
};

const disputing = (orders: ReturnType<typeof createOrders>) => {
  const { find, takenOf, given, disputed, newId, now, tellPlainly, refund, holds, purses } = orders;
  const dispute = (id: string, value: number): Dispute => {
    const order = find(id);
    const taken = takenOf(order);
    if (value > cents(taken.amount) - given(order) - disputed(order)) {
      throw new PayPalRefusal(422, 'DISPUTE_AMOUNT_EXCEEDED');
    }
    const one: Dispute = {
      dispute_id: `PP-D-${newId()}`,
      create_time: now(),
      status: 'OPEN',
      reason: 'MERCHANDISE_OR_SERVICE_NOT_RECEIVED',
      dispute_amount: ofCents(value, order.amount.currency_code),
      disputed_transactions: [{ seller_transaction_id: taken.id }],
    };
    order.disputes.push(one);
    holds.set(one.dispute_id, purses.held(order.merchant, one.dispute_amount));
    tellPlainly('CUSTOMER.DISPUTE.CREATED', order, one);
    return one;
  };
  /** Where the payer has it, PayPal takes `refunded` back from the merchant: all of it where absent. */
  const closeDispute = (id: string, outcome_code: string, refunded?: number): void => {
    const order = find(id);
    const open = order.disputes.find(({ status }) => status !== 'RESOLVED');
    if (open === undefined) throw new PayPalRefusal(422, 'NOT_OPEN');
    if ((refunded ?? 0) > cents(open.dispute_amount)) throw new PayPalRefusal(422, 'REFUND_AMOUNT_EXCEEDED');
    const isLost = outcome_code === 'RESOLVED_BUYER_FAVOUR';
    const amount = refunded === undefined ? open.dispute_amount : ofCents(refunded, order.amount.currency_code);
    open.status = 'RESOLVED';
    holds.delete(open.dispute_id);
    open.dispute_outcome = { outcome_code, ...(isLost ? { amount_refunded: amount } : {}) };
    if (isLost) refund(order, amount, { type: 'PAYMENT.CAPTURE.REVERSED', status: 'COMPLETED' });
    tellPlainly('CUSTOMER.DISPUTE.RESOLVED', order, open);
  };

  return { dispute, closeDispute };
};

/** With what payers want back. */
export const createBook = (clock: Clock) => {
  const orders = createOrders(clock);
  return { ...orders, ...disputing(orders) };
};
export type PayPalBook = ReturnType<typeof createBook>;
