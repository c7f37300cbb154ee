import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Filter, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { GatewayName } from '../gateways/gateway.ts';
import type { Payment, PaymentDispute } from '../payments/payment.schema.ts';
import { type Dispute, type DisputeView, disputeViewSchema } from './dispute.schema.ts';

export interface DisputeQuery extends PageRequest {
  readonly status?: Dispute['status'] | undefined;
  readonly gateway?: GatewayName | undefined;
  readonly payment?: string | undefined;
}

/** What payers, or their banks, want back. Gateways tell of it; what is to be done about it is done there. */
export interface DisputeService {
  /** The newest first. */
  list(actor: Actor, query: DisputeQuery): Promise<Page<DisputeView>>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<DisputeView>;
}

const viewOf = ({ id, value }: Stored<Dispute>): DisputeView => disputeViewSchema.parse({ ...value, id });

export const createDisputeService = (disputes: TenantStore<Dispute>): DisputeService => ({
  list: async ({ tenant }, { status, gateway, payment, limit, cursor }) => {
    const where: Filter[] = [];
    if (status !== undefined) where.push({ field: 'status', op: '==', value: status });
    if (gateway !== undefined) where.push({ field: 'gateway', op: '==', value: gateway });
    if (payment !== undefined) where.push({ field: 'payment', op: '==', value: payment });
    const orderBy = { field: 'openedAt', order: 'desc' } as const;
    const page = await disputes.of(tenant).query({ where, orderBy, limit, cursor });
    return { ...page, items: page.items.map(viewOf) };
  },
  get: async ({ tenant }, id) => {
    const stored = await disputes.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such dispute.');
    return viewOf(stored);
  },
});

const isSame = (one: PaymentDispute, other: PaymentDispute): boolean =>
  one.reference === other.reference &&
  one.status === other.status &&
  one.lost === other.lost &&
  one.respondBy === other.respondBy;

/**
 * Writes what is new of a payment's disputes, in the transaction that commits the payment: its revision keeps them in
 * order, so nothing is read here.
 */
export const writeDisputes = (
  transaction: Transaction,
  disputes: TenantStore<Dispute>,
  { tenant, id: payment, before, next }: { tenant: string; id: string; before: Payment; next: Payment },
): void => {
  const { gateway, account, mode, updatedAt } = next;
  if (gateway === null || account === null) return;
  for (const dispute of next.disputes) {
    if (before.disputes.some((one) => isSame(one, dispute))) continue;
    const { reference, ...rest } = dispute;
    const openedAt = next.facts.find(({ key }) => key === `dispute:${reference}:opened`)?.at ?? updatedAt;
    const fields = { ...rest, payment, gateway, account, mode, gatewayReference: reference, openedAt, updatedAt };
    transaction.increment(disputes.of(tenant), derivedId('dsp', account, reference), { changes: 1 }, fields);
  }
};
