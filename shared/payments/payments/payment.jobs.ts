import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob, type JobContext } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { type Clock, isoDay, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import {
  acmepayReceived,
  btcPayReceived,
  paypalReceived,
  type StripeEventData,
  stripeOtherReceived,
} from '../../webhooks/index.ts';
import { type AccountIndex, accountIdOf } from '../accounts/gateway-account.schema.ts';
import type { ConnectedGateway, GatewayAccountService } from '../accounts/gateway-account.service.ts';
import type { GatewayName, GatewayPart, GatewayPayment } from '../gateways/gateway.ts';
import { reconcileDue, reconcileFanOut, refreshDue } from './payment.events.ts';
import { factsOf } from './payment.facts.ts';
import type { ParkedPayment, Payment, PaymentWatch } from './payment.schema.ts';
import type { PaymentService } from './payment.service.ts';
import type { PaymentSync } from './payment.sync.ts';
import { nextWatch, watchId } from './payment.watch.ts';

export interface PaymentJobServices {
  readonly database: Pick<Database, 'transaction'>;
  readonly payments: TenantStore<Payment>;
  readonly watches: Store<PaymentWatch>;
  readonly parked: TenantStore<ParkedPayment>;
  readonly accountIndex: Store<AccountIndex>;
  readonly gatewayAccounts: Pick<GatewayAccountService, 'open'>;
  readonly sync: PaymentSync;
  readonly paymentService: Pick<PaymentService, 'pursue'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whose webhooks an event type brings. */
const gatewayOf: Readonly<Record<string, GatewayName>> = {
  [stripeOtherReceived.type]: 'stripe',
  [acmepayReceived.type]: 'acmepay',
  [btcPayReceived.type]: 'crypto',
  [paypalReceived.type]: 'paypal',
};

/** Milliseconds by which clocks of two instances may differ. */
const skew = 5_000;
/** Milliseconds. */
const parkedFor = 30 * 86_400_000;
const overlap = 2 * 3_600_000;
const page = 100;

const openOrNone = async (
  { gatewayAccounts }: PaymentJobServices,
  tenant: string,
  id: string,
): Promise<ConnectedGateway | undefined> => {
  try {
    return await gatewayAccounts.open(tenant, id);
  } catch (error) {
    if (isOmniError(error, 'not-found')) return undefined;
    throw error;
  }
};

/** By the gateway's id, and where we do not know that yet, by ours as the gateway kept it. */
const ownPayment = async (
  { payments }: PaymentJobServices,
  tenant: string,
  { id: account, gateway }: ConnectedGateway,
  reference: string,
): Promise<Stored<Payment> | undefined> => {
  const where = [{ field: 'gatewayReference', op: '==', value: reference }] as const;
  const { items } = await payments.of(tenant).query({ where, limit: 2 });
  const known = items.find(({ value }) => value.account === account);
  if (known !== undefined) return known;
  const remote = await gateway.retrieve(reference);
  if (remote?.payment === undefined) return undefined;
  const stored = await payments.of(tenant).get(remote.payment);
  // An account that was given up after a refusal may still tell of its failed attempt.
  return stored?.value.account === account && stored.value.gatewayReference === null ? stored : undefined;
};

const isAbandoned = async (
  { payments }: PaymentJobServices,
  tenant: string,
  { id: account, gateway }: ConnectedGateway,
  reference: string,
): Promise<boolean> => {
  const remote = await gateway.retrieve(reference);
  if (remote?.payment === undefined) return false;
  const stored = await payments.of(tenant).get(remote.payment);
  return stored?.value.attempts.some((attempt) => attempt.account === account) ?? false;
};

const parkPayment = (
  { parked, clock }: PaymentJobServices,
  tenant: string,
  { gateway, id: account }: ConnectedGateway,
  reference: string,
  { commit }: Pick<JobContext, 'commit'>,
): Promise<void> => {
  const id = derivedId('prk', account, reference);
  const now = clock.now();
  const entry: ParkedPayment = {
    gateway: gateway.name,
    account,
    gatewayReference: reference,
    parkedAt: isoTime(now),
    expiresAt: isoTime(now + parkedFor),
  };
  return commit(async (transaction) => {
    if ((await transaction.get(parked.of(tenant), id)) === undefined) {
      transaction.create(parked.of(tenant), id, entry);
    }
  });
};

/**
 * Looks at a payment again whose gateway says that something happened to it. The tenant is the account's; mode and
 * account have to fit it, and the event's content is not taken for the truth. What was looked at since the event came is
 * not asked for again.
 */
export const refreshPayment = defineJob({
  name: 'payments.refresh-payment',
  on: [stripeOtherReceived, acmepayReceived, btcPayReceived, paypalReceived],
  maxAttempts: 15,
  handle: async ({ tenant, type, time, data }, context, services: PaymentJobServices) => {
    const name = gatewayOf[type];
    if (name === undefined) return;
    const connected = await openOrNone(services, tenant, accountIdOf(name, data.livemode ? 'live' : 'test'));
    if (connected === undefined || !isOfAccount(connected, data)) {
      services.logger.warn('A webhook fits no account of its tenant.', { type: data.type, livemode: data.livemode });
      return;
    }
    const action = connected.gateway.actionOf(data.type, data.object);
    if (action.reference === undefined || (action.kind !== 'refresh-payment' && action.of === undefined)) return;
    const reference = await locatePayment(connected, action.reference, action.of);
    if (reference === undefined) {
      await parkPayment(services, tenant, connected, action.reference, context);
      return;
    }
    const stored = await ownPayment(services, tenant, connected, reference);
    if (stored === undefined) {
      if (await isAbandoned(services, tenant, connected, reference)) return;
      await parkPayment(services, tenant, connected, reference, context);
      return;
    }
    const { syncedAt } = stored.value;
    if (syncedAt !== null && Date.parse(syncedAt) > Date.parse(time) + skew) return;
    await services.sync.refresh(tenant, stored.id, context.commit, reference);
  },
});

/** The payment that an event is about, by the gateway's id; undefined where the gateway knows of none. */
const locatePayment = async (
  { gateway }: ConnectedGateway,
  reference: string,
  of: GatewayPart | undefined,
): Promise<string | undefined> => (of === undefined ? reference : gateway.locate?.(of, reference));

/** Stripe names no account in events of its platform's own. */
const isOfAccount = ({ account, gateway }: ConnectedGateway, data: StripeEventData): boolean =>
  data.account === account.providerAccount || (gateway.name === 'stripe' && data.account === 'platform');

/** Of an account that was removed while it had the payment, nobody can be asked. */
const isOrphan = async (services: PaymentJobServices, tenant: string, payment: string): Promise<boolean> => {
  const account = (await services.payments.of(tenant).get(payment))?.value.account ?? null;
  return account === null || (await openOrNone(services, tenant, account)) === undefined;
};

/** Goes on with a payment that is not final, and looks at it again. */
export const refreshDuePayment = defineJob({
  name: 'payments.refresh-due-payment',
  on: [refreshDue],
  maxAttempts: 15,
  handle: async ({ tenant, data: { payment } }, { commit }, services: PaymentJobServices) => {
    const { paymentService, sync, watches, logger } = services;
    try {
      await paymentService.pursue(tenant, payment);
      await sync.refresh(tenant, payment, commit);
    } catch (error) {
      if (!isOmniError(error, 'not-found') || !(await isOrphan(services, tenant, payment))) throw error;
      logger.warn('A payment is no longer looked at: it or its account is gone.', { payment });
      await commit((transaction) => transaction.delete(watches, watchId(tenant, payment)));
    }
  },
});

export const paymentSweep = defineSchedule({ name: 'payments-sweep', cron: '*/2 * * * *' });
export const paymentReconciliation = defineSchedule({ name: 'payments-reconciliation', cron: '17 * * * *' });

/** Finds what waits too long: for a gateway's answer, a webhook, a payer. One page a tick, the longest due first. */
export const sweepPayments = defineJob({
  name: 'payments.sweep-payments',
  on: [paymentSweep.event],
  handle: async (_event, { commit }, { watches, makeEvent, clock }: PaymentJobServices) => {
    const now = clock.now();
    const { items } = await watches.query({
      where: [{ field: 'dueAt', op: '<=', value: isoTime(now) }],
      orderBy: { field: 'dueAt', order: 'asc' },
      limit: page,
    });
    await commit((transaction) => {
      for (const { id, revision, value } of items) {
        const { tenant, payment } = value;
        transaction.update(watches, id, nextWatch(value, now), { revision });
        transaction.emit(makeEvent(refreshDue, { tenant, subject: payment, data: { payment } }));
      }
    });
  },
});

/** Once an hour for each account, over all tenants. */
export const startReconciliation = defineJob({
  name: 'payments.start-reconciliation',
  on: [paymentReconciliation.event],
  handle: async ({ time }, { commit }, { makeEvent }: PaymentJobServices) => {
    const at = Date.parse(time);
    const round = `${isoDay(at)}T${new Date(at).getUTCHours()}`;
    const data = { round, since: isoTime(at - overlap) };
    await commit((transaction) => {
      const id = derivedId('evt', 'reconcile', round);
      transaction.emit(makeEvent(reconcileFanOut, { id, tenant: platformTenant, subject: 'reconcile', data }));
    });
  },
});

export const fanOutReconciliation = defineJob({
  name: 'payments.fan-out-reconciliation',
  on: [reconcileFanOut],
  handle: async ({ data }, { commit }, { accountIndex, makeEvent }: PaymentJobServices) => {
    const { round, since, cursor } = data;
    const { items, nextCursor } = await accountIndex.query({ limit: page, cursor });
    await commit((transaction) => {
      for (const { id, value } of items) {
        const due = { account: value.account, since, round };
        const event = derivedId('evt', 'reconcile', round, id);
        transaction.emit(makeEvent(reconcileDue, { id: event, tenant: value.tenant, subject: id, data: due }));
      }
      if (nextCursor === null) return;
      const id = derivedId('evt', 'reconcile', round, nextCursor);
      const next = { ...data, cursor: nextCursor };
      transaction.emit(makeEvent(reconcileFanOut, { id, tenant: platformTenant, subject: 'reconcile', data: next }));
    });
  },
});

const differs = (stored: Stored<Payment>, remote: GatewayPayment): boolean => {
  const { value } = stored;
  const known = new Set(value.facts.map(({ key }) => key));
  const { gateway } = value;
  return (
    gateway !== null && (value.status !== remote.status || factsOf(gateway, remote).some(({ key }) => !known.has(key)))
  );
};

/** Compares a page of an account's payments with ours; those that differ are looked at again. Pages are events. */
export const reconcileAccount = defineJob({
  name: 'payments.reconcile-account',
  on: [reconcileDue],
  maxAttempts: 10,
  handle: async ({ tenant, subject, data }, { commit }, services: PaymentJobServices) => {
    const { payments, makeEvent } = services;
    const connected = await openOrNone(services, tenant, data.account);
    if (connected?.gateway.list === undefined) return;
    const { items, nextCursor } = await connected.gateway.list(data.since, data.cursor);
    const ours = items.filter(({ payment }) => payment !== undefined);
    const stored = await payments.of(tenant).getMany(ours.map(({ payment }) => payment ?? ''));
    const different = ours.flatMap((remote, i) => {
      const local = stored[i];
      const isAt = local?.value.account === data.account;
      return local !== undefined && isAt && differs(local, remote) ? [local.id] : [];
    });
    await commit((transaction) => {
      for (const payment of new Set(different)) {
        const id = derivedId('evt', 'reconcile', data.round, tenant, payment);
        transaction.emit(makeEvent(refreshDue, { id, tenant, subject: payment, data: { payment } }));
      }
      if (nextCursor === null) return;
      const id = derivedId('evt', 'reconcile', data.round, subject, nextCursor);
      transaction.emit(makeEvent(reconcileDue, { id, tenant, subject, data: { ...data, cursor: nextCursor } }));
    });
  },
});

export const paymentJobs = [
  refreshPayment,
  refreshDuePayment,
  sweepPayments,
  startReconciliation,
  fanOutReconciliation,
  reconcileAccount,
];
export const paymentSchedules = [paymentSweep, paymentReconciliation];
