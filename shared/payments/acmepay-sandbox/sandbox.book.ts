import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import { type AcmeDispute, type AcmeEvent, type AcmePayment, testCards } from './sandbox.schema.ts';

export interface SandboxAccount {
  readonly id: string;
  /** Authorises everything. */
  readonly secretKey: string;
  /** For browsers: makes means of payment only. */
  readonly publishableKey: string;
  readonly livemode: boolean;
}

/** A refusal as it is sent: status and the error's type, code and field. */
export class AcmeError extends Error {
  override readonly name = 'AcmeError';
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly param: string | undefined;

  constructor(status: number, type: string, code: string, param?: string) {
    super(`${type}: ${code}`);
    this.status = status;
    this.type = type;
    this.code = code;
    this.param = param;
  }
}

export const notFound = (): AcmeError => new AcmeError(404, 'not_found', 'no_such_payment');

export interface BookOptions {
  readonly clock: Clock;
  readonly newId: NewId;
  /** Seconds until a delayed debit or a pending refund is settled. */
  readonly settleAfter: number;
  /** Where payers find their pages. */
  readonly pageOf: (payment: string) => string;
  readonly onEvent: (event: AcmeEvent) => void;
}

/** 1.4 % and 25 units, rounded half up. */
const feeOf = (captured: number): number => Math.floor((captured * 14 + 500) / 1_000) + 25;

/** Seconds for which a payer is waited for, and money is held. */
const patienceWith: ReadonlyMap<AcmePayment['status'], number> = new Map([
  ['requires_action', 3_600],
  ['authorised', 7 * 86_400],
]);

/** AcmePay's books: payments and what becomes of them, by their cards and by time. In memory, of one process. */
export const createBook = ({ clock, newId, settleAfter, pageOf, onEvent }: BookOptions) => {
  const payments = new Map<string, AcmePayment>();
  const byReference = new Map<string, string>();
  const methods = new Map<string, string>();
  const events: AcmeEvent[] = [];
  const seconds = (): number => Math.floor(clock.now() / 1_000);

  const tell = (type: string, payment: AcmePayment): void => {
    const { account, livemode } = payment;
    const data = { object: structuredClone(payment) };
    const event: AcmeEvent = {
      id: newId('aevt'),
      object: 'event',
      type,
      account,
      livemode,
      created: seconds(),
      data,
    };
    events.push(event);
    onEvent(event);
  };

  const put = (payment: AcmePayment, change: Partial<AcmePayment>, type: string): AcmePayment => {
    const next = { ...payment, ...change, updated: seconds() };
    payments.set(next.id, next);
    tell(type, next);
    return next;
  };

  const captured = (payment: AcmePayment, amount: number): AcmePayment => {
    const change = { status: 'captured', amount_captured: amount, fee: feeOf(amount), next_action: null } as const;
    const done = put(payment, change, 'payment.captured');
    return behaviourOf(done) === 'disputed' ? openDispute(done, amount) : done;
  };

  const behaviourOf = ({ payment_method }: AcmePayment) =>
    testCards[methods.get(payment_method ?? '') ?? '']?.behaviour;

  const failed = (payment: AcmePayment, decline: string): AcmePayment =>
    put(payment, { status: 'failed', decline_code: decline, next_action: null }, 'payment.failed');

  /** The bank said yes. */
  const approved = (payment: AcmePayment): AcmePayment =>
    payment.capture_method === 'manual'
      ? put(payment, { status: 'authorised', next_action: null }, 'payment.authorised')
      : captured(payment, payment.amount);

  const openDispute = (payment: AcmePayment, amount: number): AcmePayment => {
    const dispute: AcmeDispute = { id: newId('adp'), object: 'dispute', amount, status: 'open', created: seconds() };
    return put(payment, { disputes: [...payment.disputes, dispute] }, 'payment.dispute.opened');
  };

  /** Asks the bank, with the means of payment that there is. */
  const attempt = (payment: AcmePayment): AcmePayment => {
    const waits = (): AcmePayment =>
      put(
        payment,
        { status: 'requires_action', next_action: { type: 'redirect', url: pageOf(payment.id) } },
        'payment.requires_action',
      );
    if (payment.payment_method === null) return payment.off_session ? failed(payment, 'invalid_method') : waits();
    const behaviour = behaviourOf(payment);
    if (behaviour === undefined) return failed(payment, 'invalid_method');
    if (typeof behaviour === 'object') return failed(payment, behaviour.declines);
    if (behaviour === 'challenges') return payment.off_session ? failed(payment, 'authentication_required') : waits();
    if (behaviour === 'delayed' || behaviour === 'delayed-failure') {
      return put(payment, { status: 'processing' }, 'payment.processing');
    }
    return approved(payment);
  };

  const settleRefunds = (payment: AcmePayment, now: number): AcmePayment => {
    let current = payment;
    for (const { id, status, created } of payment.refunds) {
      if (status !== 'pending' || now - created < settleAfter) continue;
      const refunds = current.refunds.map((one) => (one.id === id ? { ...one, status: 'succeeded' as const } : one));
      current = put(current, { refunds }, 'payment.refund.succeeded');
    }
    return current;
  };

  /** What time alone does to a payment. */
  const settled = (payment: AcmePayment): AcmePayment => {
    const now = seconds();
    if (payment.status === 'processing' && now - payment.created >= settleAfter) {
      return behaviourOf(payment) === 'delayed-failure' ? failed(payment, 'insufficient_funds') : approved(payment);
    }
    const patience = patienceWith.get(payment.status);
    if (patience !== undefined && now - payment.updated >= patience) {
      return put(payment, { status: 'expired', next_action: null }, 'payment.expired');
    }
    return settleRefunds(payment, now);
  };

  const find = (account: SandboxAccount, id: string): AcmePayment => {
    const payment = payments.get(id);
    if (payment === undefined || payment.account !== account.id) throw notFound();
    return settled(payment);
  };

  const allOf = (account: SandboxAccount): AcmePayment[] =>
    [...payments.values()].filter((payment) => payment.account === account.id).map(settled);

  return {
    payments,
    byReference,
    methods,
    events,
    seconds,
    tell,
    put,
    captured,
    approved,
    failed,
    attempt,
    openDispute,
    settled,
    find,
    allOf,
  };
};
export type Book = ReturnType<typeof createBook>;
