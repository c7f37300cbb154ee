import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { GatewayAccountService } from '../accounts/gateway-account.service.ts';
import type { Dispute } from '../disputes/dispute.schema.ts';
import { writeDisputes } from '../disputes/dispute.service.ts';
import type { GatewayPayment } from '../gateways/gateway.ts';
import type { Ledger } from '../ledger/ledger.service.ts';
import { eventOf, postingOf } from './payment.facts.ts';
import { type Merged, mergePayment, tombstone } from './payment.merge.ts';
import type { Payment, PaymentWatch } from './payment.schema.ts';
import { keepWatch } from './payment.watch.ts';

/** Commits a transaction: a request's own, or a job's together with its inbox. */
export type Commit = <R>(work: (transaction: Transaction) => Promise<R> | R) => Promise<R>;

export interface PaymentSync {
  /**
   * Commits a change of a payment with everything that follows from it: what is booked, what is told, and whether it is
   * watched. Fails with `revision-conflict` where somebody else changed it since it was read.
   */
  commit(tenant: string, stored: Stored<Payment>, merged: Merged, commit: Commit): Promise<Stored<Payment>>;
  /** Commits what the gateway told. `fetchedAt` is when it was asked. */
  apply(
    tenant: string,
    stored: Stored<Payment>,
    told: { readonly remote: GatewayPayment; readonly fetchedAt: number },
    commit: Commit,
  ): Promise<Stored<Payment>>;
  /**
   * Reads the payment, asks the gateway, and commits what it tells if nobody changed the payment meanwhile; else begins
   * again. The one path for returns of payers, webhooks and reconciliation. `reference` is the gateway's id, where the
   * payment does not have it yet. Fails with `not-found`.
   */
  refresh(tenant: string, id: string, commit: Commit, reference?: string): Promise<Stored<Payment>>;
}

export interface PaymentSyncOptions {
  readonly payments: TenantStore<Payment>;
  readonly watches: Store<PaymentWatch>;
  readonly disputes: TenantStore<Dispute>;
  readonly accounts: Pick<GatewayAccountService, 'open'>;
  readonly ledger: Pick<Ledger, 'open' | 'postIn'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const maxRounds = 5;
export const createPaymentSync = (options: PaymentSyncOptions): PaymentSync => {
  const { payments, watches, disputes, accounts, ledger, makeEvent, clock } = options;

  const commitMerged: PaymentSync['commit'] = async (tenant, { id, revision, value }, { next, facts }, commit) => {
    const book = next.mode;
    const postings = facts.flatMap((fact) => postingOf(id, book, fact));
    await ledger.open(tenant, postings);
    const events = facts.flatMap((fact) => eventOf(makeEvent, tenant, id, next, fact));
    await commit((transaction) => {
      transaction.update(payments.of(tenant), id, next, { revision });
      writeDisputes(transaction, disputes, { tenant, id, before: value, next });
      if (postings.length > 0) ledger.postIn(transaction, tenant, postings);
      keepWatch(transaction, watches, { tenant, id, before: value, next, now: clock.now() });
      for (const event of events) transaction.emit(event);
    });
    const stored = await payments.of(tenant).get(id);
    return stored ?? { id, revision, value: next };
  };

  const apply: PaymentSync['apply'] = (tenant, stored, { remote, fetchedAt }, commit) => {
    const gateway = stored.value.gateway;
    if (gateway === null) throw new OmniError('precondition-failed', 'The payment is at no gateway.');
    const merged = mergePayment(stored.value, { id: stored.id, gateway, remote, fetchedAt, now: clock.now() });
    return commitMerged(tenant, stored, merged, commit);
  };

  const once = async (tenant: string, id: string, commit: Commit, reference: string | undefined) => {
    const stored = await payments.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such payment.');
    const { account, gatewayReference } = stored.value;
    if (account === null) return stored;
    const { gateway } = await accounts.open(tenant, account);
    const at = gatewayReference ?? reference;
    const fetchedAt = clock.now();
    const remote = at === undefined ? await gateway.find(id) : await gateway.retrieve(at);
    if (remote !== undefined) return apply(tenant, stored, { remote, fetchedAt }, commit);
    // Not there yet, as far as anybody knows: whoever asks the gateway for it goes on.
    if (gatewayReference === null) return stored;
    return commitMerged(tenant, stored, tombstone(stored.value, clock.now()), commit);
  };

  return {
    commit: commitMerged,
    apply,
    refresh: async (tenant, id, commit, reference) => {
      for (let round = 1; ; round += 1) {
        try {
          return await once(tenant, id, commit, reference);
        } catch (error) {
          if (!isOmniError(error, 'revision-conflict') || round === maxRounds) throw error;
        }
      }
    },
  };
};
