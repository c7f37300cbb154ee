import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId, type NewId } from '../../kernel/ids.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import type { GatewayAccountService } from '../accounts/gateway-account.service.ts';
import { callLease } from './payment.driver.ts';
import { refundRefused } from './payment.merge.ts';
import { maxRefunds, type Payment, type PaymentWatch, type Refund, type RefundInput } from './payment.schema.ts';
import type { PaymentSync } from './payment.sync.ts';
import { startWatch } from './payment.watch.ts';

export interface RefundOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly payments: TenantStore<Payment>;
  readonly watches: Store<PaymentWatch>;
  readonly accounts: Pick<GatewayAccountService, 'open'>;
  readonly sync: PaymentSync;
  readonly find: (tenant: string, id: string) => Promise<Stored<Payment>>;
  readonly newId: NewId;
  readonly clock: Clock;
}

interface Intended {
  readonly refund: Refund;
  /** Kept by this call: nobody can have asked the gateway for it. */
  readonly isNew: boolean;
}

const maxRounds = 8;

/** What can still be paid back: not what was, is being, or was taken back by the payer's bank. */
export const refundable = ({ captured, refunds, disputed }: Payment): number =>
  captured -
  disputed -
  refunds.filter(({ status }) => status !== 'failed').reduce((sum, { amount }) => sum + amount, 0);

const over = (): OmniError => new OmniError('precondition-failed', 'That is more than is left of the payment.');

export const createRefunds = (options: RefundOptions) => {
  const { database, payments, watches, accounts, sync, find, newId, clock } = options;
  const commit: Database['transaction'] = (work) => database.transaction(work);

  /** Keeps what is intended, in the payment itself: its revision sees to it that never too much is. */
  const intend = async (tenant: string, id: string, refundId: string, input: RefundInput): Promise<Intended> => {
    const { value, revision } = await find(tenant, id);
    const there = value.refunds.find((refund) => refund.id === refundId);
    if (there !== undefined) {
      if (input.amount === undefined || input.amount === there.amount) return { refund: there, isNew: false };
      throw new OmniError('idempotency-mismatch', 'This reference or key came with another refund before.');
    }
    const left = refundable(value);
    const amount = input.amount ?? left;
    if (amount <= 0 || amount > left) throw over();
    if (value.refunds.length >= maxRefunds) {
      throw new OmniError('precondition-failed', `A payment has at most ${maxRefunds} refunds.`);
    }
    const refund: Refund = {
      id: refundId,
      amount,
      currency: value.currency,
      reason: input.reason ?? null,
      status: 'created',
      gatewayReference: null,
      detail: null,
      createdAt: isoTime(clock.now()),
      askedAt: isoTime(clock.now()),
    };
    const next = { ...value, refunds: [...value.refunds, refund], updatedAt: isoTime(clock.now()) };
    await database.transaction((transaction) => {
      transaction.update(payments.of(tenant), id, next, { revision });
      startWatch(transaction, watches, { tenant, id, account: value.account, now: clock.now(), wait: 'asked' });
    });
    return { refund, isNew: true };
  };

  const retried = async <R>(work: () => Promise<R>): Promise<R> => {
    for (let round = 1; ; round += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict') || round === maxRounds) throw error;
      }
    }
  };

  const withRefund = (payment: Payment, refundId: string, change: Partial<Refund>): Payment => ({
    ...payment,
    refunds: payment.refunds.map((one) => (one.id === refundId ? { ...one, ...change } : one)),
    updatedAt: isoTime(clock.now()),
  });

  const ofPayment = ({ refunds }: Payment, refundId: string): Refund => {
    const refund = refunds.find((one) => one.id === refundId);
    if (refund === undefined) throw new OmniError('not-found', 'There is no such refund.');
    return refund;
  };

  /** Changes one that is still open; answers with how it is then. */
  const change = (tenant: string, id: string, refundId: string, to: Partial<Refund>): Promise<Refund> =>
    retried(async () => {
      const { value, revision } = await find(tenant, id);
      const refund = ofPayment(value, refundId);
      if (refund.status !== 'created') return refund;
      await payments.of(tenant).update(id, withRefund(value, refundId, to), { revision });
      return { ...refund, ...to };
    });

  /** Ends one that the gateway did not make, and tells of it. */
  const refuse = (tenant: string, id: string, refundId: string): Promise<void> =>
    retried(async () => {
      const stored = await find(tenant, id);
      const refund = ofPayment(stored.value, refundId);
      if (refund.status !== 'created') return;
      await sync.commit(tenant, stored, refundRefused(stored.value, refund, clock.now()), commit);
    });

  /** As the gateway has it now. */
  const lookedUp = async (tenant: string, id: string, refundId: string): Promise<Refund> =>
    ofPayment((await sync.refresh(tenant, id, commit)).value, refundId);

  /** Takes the one call that may be under way; false where somebody else has it. */
  const claim = async (tenant: string, id: string, refundId: string): Promise<boolean> => {
    const { value, revision } = await find(tenant, id);
    const { status, askedAt } = ofPayment(value, refundId);
    if (status !== 'created') return false;
    if (askedAt !== null && Date.parse(askedAt) + callLease > clock.now()) return false;
    try {
      const next = withRefund(value, refundId, { askedAt: isoTime(clock.now()) });
      await payments.of(tenant).update(id, next, { revision });
      return true;
    } catch (error) {
      if (isOmniError(error, 'revision-conflict')) return false;
      throw error;
    }
  };

  const gatewayOf = async (tenant: string, id: string) => {
    const { account, gatewayReference } = (await find(tenant, id)).value;
    if (account === null || gatewayReference === null) throw over();
    return { gateway: (await accounts.open(tenant, account)).gateway, reference: gatewayReference };
  };

  /** Asks the gateway, with the refund's id as key, and takes its state in. */
  const ask = async (tenant: string, id: string, refund: Refund, isFirst: boolean): Promise<Refund> => {
    const { gateway, reference } = await gatewayOf(tenant, id);
    const { amount, currency, reason } = refund;
    const request = { refund: refund.id, amount: { amount, currency }, reason: reason ?? undefined };
    try {
      await gateway.refund(reference, request, refund.id);
    } catch (error) {
      const isRefusal = isOmniError(error, 'invalid-request') || isOmniError(error, 'precondition-failed');
      if (!isRefusal) throw error;
      const now = await lookedUp(tenant, id, refund.id);
      // A call before this one got through, and its answer was lost.
      if (now.status !== 'created') return now;
      const isSure = isFirst || gateway.capabilities.refundsByOwnReference;
      if (!isSure) return change(tenant, id, refund.id, { detail: 'outcome-unknown' });
      await refuse(tenant, id, refund.id);
      throw error;
    }
    return lookedUp(tenant, id, refund.id);
  };

  /**
   * One that may have been asked for before, by whoever lost the answer: it is looked for first. While the gateway
   * remembers its key, a second call has no second effect. After that there is at most one call at a time, and only
   * where the look before it shows for sure that the refund is not there.
   */
  const askAgain = async (tenant: string, id: string, refund: Refund): Promise<Refund> => {
    const { gateway } = await gatewayOf(tenant, id);
    const { idempotentFor, refundsByOwnReference } = gateway.capabilities;
    // With a margin: its clock is not ours.
    const isRemembered = clock.now() - Date.parse(refund.createdAt) < idempotentFor * 900;
    const isFindable = isRemembered || refundsByOwnReference;
    if (isFindable && !isRemembered && !(await claim(tenant, id, refund.id))) return refund;
    const now = await lookedUp(tenant, id, refund.id);
    if (now.status !== 'created') return now;
    if (isFindable) return ask(tenant, id, now, false);
    return change(tenant, id, refund.id, { detail: 'outcome-unknown' });
  };

  return {
    make: async (actor: Actor, id: string, input: RefundInput): Promise<Refund> => {
      const { tenant } = actor;
      const refundId =
        input.reference === undefined ? idsFor(actor, newId)('ref') : derivedId('ref', tenant, id, input.reference);
      const { refund, isNew } = await retried(() => intend(tenant, id, refundId, input));
      if (isNew) return ask(tenant, id, refund, true);
      return refund.status === 'created' ? askAgain(tenant, id, refund) : refund;
    },
    /** Carries out what was intended and never was, as far as anybody knows. */
    pursue: async (tenant: string, { id, value }: Stored<Payment>): Promise<void> => {
      for (const refund of value.refunds.filter(({ status }) => status === 'created')) {
        await askAgain(tenant, id, refund).catch((error: unknown) => {
          if (!isOmniError(error, 'invalid-request') && !isOmniError(error, 'precondition-failed')) throw error;
        });
      }
    },
  };
};
