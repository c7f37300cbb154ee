import type { NewId } from '../../kernel/ids.ts';
import { AcmeError, type Book, notFound, type SandboxAccount } from './sandbox.book.ts';
import {
  type AcmeEvent,
  type AcmePayment,
  type AcmeRefund,
  type CaptureRequest,
  type CreateRequest,
  testCards,
} from './sandbox.schema.ts';

const stateError = (code: string): AcmeError => new AcmeError(409, 'invalid_state', code);
const requireCurrency = (payment: AcmePayment, currency: string): void => {
  if (payment.currency !== currency) throw new AcmeError(400, 'invalid_request', 'other_currency', 'currency');
};

const finals = new Set<AcmePayment['status']>(['captured', 'canceled', 'failed', 'expired']);

const maxRefunds = 100;

const refundedOf = ({ refunds }: AcmePayment): number =>
  refunds.filter(({ status }) => status !== 'failed').reduce((total, { amount }) => total + amount, 0);

interface RefundRequest {
  readonly reference: string;
  readonly amount: number;
  readonly currency: string;
  /** Pending first. */
  readonly slow: boolean;
}

const isOverRefunded = (payment: AcmePayment, amount: number): boolean => {
  const disputed = payment.disputes.filter(({ status }) => status !== 'won').reduce((sum, one) => sum + one.amount, 0);
  return refundedOf(payment) + disputed + amount > payment.amount_captured;
};

const draftOf = (
  { id: account, livemode }: SandboxAccount,
  request: CreateRequest,
  id: string,
  now: number,
): AcmePayment => ({
  id,
  object: 'payment',
  account,
  livemode,
  reference: request.reference,
  status: 'processing',
  amount: request.amount,
  currency: request.currency,
  amount_captured: 0,
  capture_method: request.capture_method,
  customer: request.customer ?? null,
  payment_method: request.payment_method ?? null,
  off_session: request.off_session,
  description: request.description ?? null,
  return_url: request.return_url ?? null,
  fee: null,
  next_action: null,
  decline_code: null,
  refunds: [],
  disputes: [],
  metadata: request.metadata,
  created: now,
  updated: now,
});

/** What may be asked of AcmePay, and what the bank and the payer may do. */
export const createEngine = (book: Book, newId: NewId) => {
  const { payments, byReference, methods, events, seconds, put, captured, approved, failed, attempt, find } = book;
  const { tell, openDispute, settled, allOf } = book;
  const create = (account: SandboxAccount, request: CreateRequest): AcmePayment => {
    const { payment_method: method } = request;
    if (method !== undefined && method in testCards) methods.set(method, method);
    const payment = draftOf(account, request, newId('acp'), seconds());
    payments.set(payment.id, payment);
    byReference.set(`${account.id}:${payment.reference}`, payment.id);
    tell('payment.created', payment);
    return attempt(payment);
  };

  return {
    events: (account: SandboxAccount): readonly AcmeEvent[] => events.filter((event) => event.account === account.id),
    /** Makes a means of payment of a card. The number is not kept. */
    tokenise: (card: string): string => {
      const id = newId('pm');
      methods.set(id, card);
      return id;
    },
    create,
    find,
    findByReference: (account: SandboxAccount, reference: string): AcmePayment | undefined => {
      const id = byReference.get(`${account.id}:${reference}`);
      const payment = id === undefined ? undefined : payments.get(id);
      return payment && settled(payment);
    },
    list: (account: SandboxAccount, since: number): readonly AcmePayment[] =>
      allOf(account).filter(({ updated }) => updated >= since),
    capture: (account: SandboxAccount, id: string, request: CaptureRequest): AcmePayment => {
      const payment = find(account, id);
      if (payment.status !== 'authorised') throw stateError('not_authorised');
      if ('currency' in request) requireCurrency(payment, request.currency);
      const wanted = 'amount' in request ? request.amount : payment.amount;
      if (wanted > payment.amount) throw new AcmeError(400, 'invalid_request', 'amount_too_large', 'amount');
      return captured(payment, wanted);
    },
    cancel: (account: SandboxAccount, id: string): AcmePayment => {
      const payment = find(account, id);
      if (payment.status === 'canceled') return payment;
      if (finals.has(payment.status) || payment.status === 'processing') throw stateError('not_cancelable');
      return put(payment, { status: 'canceled', next_action: null }, 'payment.canceled');
    },
    refund: (account: SandboxAccount, id: string, { reference, amount, currency, slow }: RefundRequest): AcmeRefund => {
      const payment = find(account, id);
      requireCurrency(payment, currency);
      if (payment.status !== 'captured') throw stateError('not_captured');
      if (isOverRefunded(payment, amount)) throw new AcmeError(400, 'invalid_request', 'amount_too_large', 'amount');
      if (payment.refunds.length >= maxRefunds) throw stateError('too_many_refunds');
      const status = slow ? 'pending' : 'succeeded';
      const refundId = newId('arf');
      const refund: AcmeRefund = {
        id: refundId,
        object: 'refund',
        reference,
        amount,
        currency,
        status,
        created: seconds(),
      };
      put(payment, { refunds: [...payment.refunds, refund] }, `payment.refund.${slow ? 'created' : 'succeeded'}`);
      return refund;
    },
    /** The bank sends a refund back, as to an account that is closed. */
    failRefund: (account: SandboxAccount, id: string, refund: string): AcmePayment => {
      const payment = find(account, id);
      const refunds = payment.refunds.map((one) => (one.id === refund ? { ...one, status: 'failed' as const } : one));
      return put(payment, { refunds }, 'payment.refund.failed');
    },
    dispute: (account: SandboxAccount, id: string, amount: number): AcmePayment => {
      const payment = find(account, id);
      if (payment.status !== 'captured' || isOverRefunded(payment, amount)) throw stateError('not_disputable');
      return openDispute(payment, amount);
    },
    closeDispute: (account: SandboxAccount, id: string, dispute: string, status: 'won' | 'lost'): AcmePayment => {
      const payment = find(account, id);
      if (!payment.disputes.some((one) => one.id === dispute && one.status === 'open')) throw stateError('not_open');
      const disputes = payment.disputes.map((one) => (one.id === dispute ? { ...one, status } : one));
      return put(payment, { disputes }, `payment.dispute.${status}`);
    },
    /** What the payer does on their page: gives a card, passes the challenge, or fails it. */
    act: (id: string, action: { readonly card: string } | 'approve' | 'deny'): AcmePayment => {
      const found = payments.get(id);
      if (found === undefined) throw notFound();
      const payment = settled(found);
      if (payment.status !== 'requires_action') return payment;
      if (typeof action === 'object') {
        const method = newId('pm');
        methods.set(method, action.card);
        const withMethod = { ...payment, payment_method: method };
        payments.set(id, withMethod);
        return attempt(withMethod);
      }
      if (payment.payment_method === null) throw stateError('no_method');
      return action === 'approve' ? approved(payment) : failed(payment, 'authentication_failed');
    },
    page: (id: string): AcmePayment | undefined => {
      const payment = payments.get(id);
      return payment && settled(payment);
    },
    /** As a merchant's erasure request does: it is gone. */
    remove: (account: SandboxAccount, id: string): void => {
      const payment = find(account, id);
      payments.delete(id);
      byReference.delete(`${account.id}:${payment.reference}`);
      tell('payment.deleted', payment);
    },
    settleAll: (): void => {
      for (const payment of payments.values()) settled(payment);
    },
    balances: (account: SandboxAccount): ReadonlyMap<string, number> => {
      const balances = new Map<string, number>();
      for (const payment of allOf(account)) {
        const lost = payment.disputes
          .filter(({ status }) => status !== 'won')
          .reduce((sum, one) => sum + one.amount, 0);
        const net = payment.amount_captured - (payment.fee ?? 0) - refundedOf(payment) - lost;
        balances.set(payment.currency, (balances.get(payment.currency) ?? 0) + net);
      }
      return balances;
    },
  };
};
export type Engine = ReturnType<typeof createEngine>;
