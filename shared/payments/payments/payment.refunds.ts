import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId, type NewId } from '../../kernel/ids.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import type { GatewayAccountService } from '../accounts/gateway-account.service.ts';
import { maxRefunds, type Payment, type PaymentWatch, type Refund, type RefundInput } from './payment.schema.ts';
import { type PaymentSync, watchId } from './payment.sync.ts';

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
  const intend = async (tenant: string, id: string, refundId: string, input: RefundInput): Promise<Refund> => {
    const { value, revision } = await find(tenant, id);
    const there = value.refunds.find((refund) => refund.id === refundId);
    if (there !== undefined) {
      if (input.amount === undefined || input.amount === there.amount) return there;
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
      createdAt: isoTime(clock.now()),
    };
    const next = { ...value, refunds: [...value.refunds, refund], updatedAt: isoTime(clock.now()) };
    const dueAt = isoTime(clock.now() + 120_000);
    await database.transaction((transaction) => {
      transaction.update(payments.of(tenant), id, next, { revision });
      transaction.increment(watches, watchId(tenant, id), { rounds: 1 }, { tenant, payment: id, dueAt });
    });
    return refund;
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

  const fail = (tenant: string, id: string, refundId: string): Promise<void> =>
    retried(async () => {
      const { value, revision } = await find(tenant, id);
      const refunds = value.refunds.map((refund) =>
        refund.id === refundId && refund.status === 'created' ? { ...refund, status: 'failed' as const } : refund,
      );
      await payments.of(tenant).update(id, { ...value, refunds, updatedAt: isoTime(clock.now()) }, { revision });
    });

  const statusOf = async (tenant: string, id: string, refundId: string): Promise<Refund> => {
    const refund = (await find(tenant, id)).value.refunds.find((one) => one.id === refundId);
    if (refund === undefined) throw new OmniError('not-found', 'There is no such refund.');
    return refund;
  };

  /** Asks the gateway, with the refund's id as key, and takes its state in. */
  const carryOut = async (tenant: string, id: string, refund: Refund): Promise<Refund> => {
    const { account, gatewayReference } = (await find(tenant, id)).value;
    if (account === null || gatewayReference === null) throw over();
    const { gateway } = await accounts.open(tenant, account);
    const { amount, currency, reason } = refund;
    const request = { refund: refund.id, amount: { amount, currency }, reason: reason ?? undefined };
    try {
      await gateway.refund(gatewayReference, request, refund.id);
    } catch (error) {
      const isRefusal = isOmniError(error, 'invalid-request') || isOmniError(error, 'precondition-failed');
      if (!isRefusal) throw error;
      await sync.refresh(tenant, id, commit);
      const now = await statusOf(tenant, id, refund.id);
      // A call before this one got through, and its answer was lost.
      if (now.status !== 'created') return now;
      await fail(tenant, id, refund.id);
      throw error;
    }
    await sync.refresh(tenant, id, commit);
    return statusOf(tenant, id, refund.id);
  };

  return {
    make: async (actor: Actor, id: string, input: RefundInput): Promise<Refund> => {
      const { tenant } = actor;
      const refundId =
        input.reference === undefined ? idsFor(actor, newId)('ref') : derivedId('ref', tenant, id, input.reference);
      const refund = await retried(() => intend(tenant, id, refundId, input));
      return refund.status === 'created' ? carryOut(tenant, id, refund) : refund;
    },
    /** Carries out what was intended and never was, as far as anybody knows. */
    pursue: async (tenant: string, { id, value }: Stored<Payment>): Promise<void> => {
      for (const refund of value.refunds.filter(({ status }) => status === 'created')) {
        await carryOut(tenant, id, refund).catch((error: unknown) => {
          if (!isOmniError(error, 'invalid-request') && !isOmniError(error, 'precondition-failed')) throw error;
        });
      }
    },
  };
};
