import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Filter, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Ground } from './biller.ground.ts';
import { type Biller, invoiceIdOf } from './biller.ts';
import { notFound } from './billing.fields.ts';
import type { CatalogueService } from './catalogue.service.ts';
import { againOnConflict, type CouponService, type Redeemable } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import type { InvoiceView } from './invoice.schema.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import { resumed, type Step } from './subscription.advance.ts';
import { canceledNow, changedNow, paused, planChange, requireAnotherDay, started } from './subscription.changes.ts';
import type {
  Cancellation,
  NewSubscription,
  Pause,
  Subscription,
  SubscriptionChange,
  SubscriptionView,
} from './subscription.schema.ts';
import type { SubscriptionStatus } from './subscription.state.ts';

export interface SubscriptionFilter extends PageRequest {
  readonly customer?: string | undefined;
  readonly status?: SubscriptionStatus | undefined;
}

/** A subscription after what was done with it, and the invoice that this made, if it did. */
export interface SubscriptionResult {
  readonly subscription: SubscriptionView;
  readonly invoice: string | null;
}

/**
 * Fails with `invalid-request` for what is not there or not sold, `precondition-failed` for what can't be done in its
 * state, and `revision-conflict` when others keep changing it.
 */
export interface SubscriptionService {
  create(actor: Actor, input: NewSubscription): Promise<SubscriptionResult>;
  get(actor: Actor, id: string): Promise<SubscriptionView>;
  /** Newest first. */
  list(actor: Actor, filter: SubscriptionFilter): Promise<Page<SubscriptionView>>;
  change(actor: Actor, id: string, change: SubscriptionChange): Promise<SubscriptionResult>;
  /** What a change would cost now, line by line. Nothing is stored. */
  preview(actor: Actor, id: string, change: SubscriptionChange): Promise<InvoiceView>;
  cancel(actor: Actor, id: string, how: Cancellation): Promise<SubscriptionResult>;
  /** Takes back what was to happen at the end of the period. */
  keep(actor: Actor, id: string): Promise<SubscriptionResult>;
  pause(actor: Actor, id: string, how: Pause): Promise<SubscriptionResult>;
  resume(actor: Actor, id: string): Promise<SubscriptionResult>;
}

export interface SubscriptionServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly customers: TenantStore<Customer>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly catalogue: Pick<CatalogueService, 'offers' | 'markUsed'>;
  readonly coupons: CouponService;
  readonly biller: Biller;
  /** Whether customers can be charged without being there. */
  readonly canCollect: boolean;
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
}

const viewOf = (
  id: string,
  { billedUsage: _b, invoices: _i, failures: _f, nextActionAt: _n, ...value }: Subscription,
): SubscriptionView => ({
  id,
  ...value,
});

export const createSubscriptionService = (options: SubscriptionServiceOptions): SubscriptionService => {
  const { database, subscriptions, customers, settings, catalogue, coupons, biller, audit, newId } = options;

  const find = async (tenant: string, id: string): Promise<Stored<Subscription>> => {
    const stored = await subscriptions.of(tenant).get(id);
    if (stored === undefined) throw notFound('subscription');
    return stored;
  };

  /** Commits a step with its invoice, and with whatever goes with it. */
  const commit = async (
    actor: Actor,
    on: Ground,
    target: { id: string; before: Stored<Subscription> | undefined; step: Step; action: string },
    more: (transaction: Transaction) => void = () => {},
  ): Promise<SubscriptionResult> => {
    const { id, before, step, action } = target;
    const plan = await biller.plan(on, [{ id, before, step }]);
    await database.transaction(async (transaction) => {
      plan.write(transaction);
      more(transaction);
      await audit.record(transaction, actor, {
        action: `billing.subscription.${action}`,
        target: { type: 'subscription', id },
        outcome: 'success',
      });
    });
    const [invoice = null] = plan.invoices.keys();
    return { subscription: viewOf(id, plan.subscriptions.get(id) ?? step.next), invoice };
  };

  /** Again where others changed something meanwhile. Who takes the first number of a series may find it there. */
  const billing = <R>(attempt: () => Promise<R>): Promise<R> =>
    againOnConflict(async () => {
      try {
        return await attempt();
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        throw new OmniError('revision-conflict', 'Others are billing at the same time. Try again.', { cause: error });
      }
    });

  /** Reads it, decides and commits; again where others changed something meanwhile. */
  const act = (
    actor: Actor,
    id: string,
    action: string,
    decide: (subscription: Subscription, on: Ground) => Step,
    { prices = [], endsNow = false }: { readonly prices?: readonly string[]; readonly endsNow?: boolean } = {},
  ): Promise<SubscriptionResult> =>
    billing(async () => {
      const before = await find(actor.tenant, id);
      const on = await biller.ground(actor.tenant, [before.value], { prices, endsNow });
      const step = decide(before.value, on);
      const sold = [...on.offers.values()].filter(({ price }) => prices.includes(price.id));
      return commit(actor, on, { id, before, step, action }, (transaction) =>
        catalogue.markUsed(transaction, actor.tenant, sold),
      );
    });

  const redeemableOf = async (
    { tenant }: Actor,
    { promotionCode, customer }: NewSubscription,
    isNew: boolean,
    { now }: BillingContext,
  ): Promise<Redeemable | undefined> =>
    promotionCode === undefined ? undefined : coupons.redeemable(tenant, promotionCode, { customer, isNew, now });

  const attemptCreate = async (actor: Actor, id: string, input: NewSubscription): Promise<SubscriptionResult> => {
    const { tenant } = actor;
    const [context, customer] = await Promise.all([
      settings.contextOf(tenant),
      customers.of(tenant).get(input.customer),
    ]);
    const isNew = customer?.value.firstSubscribedAt === null;
    const redeemable = await redeemableOf(actor, input, isNew, context);
    const offers = await catalogue.offers(
      tenant,
      input.items.map(({ price }) => price),
    );
    const canCollect = options.canCollect;
    const step = started(input, { id, customer, offers, context, canCollect, coupon: redeemable?.coupon });
    const prices = input.items.map(({ price }) => price);
    const more = { prices, context, coupons: redeemable === undefined ? [] : [redeemable.coupon.id] };
    const on = await biller.ground(tenant, [step.next], more);
    return commit(actor, on, { id, before: undefined, step, action: 'created' }, (transaction) => {
      catalogue.markUsed(transaction, tenant, [...offers.values()]);
      if (redeemable !== undefined) coupons.redeem(transaction, tenant, redeemable);
      if (customer === undefined) return;
      // Written also where it stays as it is: a customer who is erased at the same time gets no subscription.
      const { value, revision } = customer;
      const next = isNew ? { ...value, firstSubscribedAt: isoTime(context.now) } : value;
      transaction.update(customers.of(tenant), customer.id, next, { revision });
    });
  };

  return {
    create: async (actor, input) => {
      const id = idsFor(actor, newId)('sub');
      return billing(async () => {
        // Looked for each time: it may be the same request that was faster, or this one's own attempt before.
        const earlier = await subscriptions.of(actor.tenant).get(id);
        if (earlier === undefined) return attemptCreate(actor, id, input);
        const invoice = earlier.value.invoices > 0 ? invoiceIdOf(actor.tenant, id, 0) : null;
        return { subscription: viewOf(id, earlier.value), invoice };
      });
    },
    get: async ({ tenant }, id) => viewOf(id, (await find(tenant, id)).value),
    list: async ({ tenant }, { customer, status, limit, cursor }) => {
      const where: Filter[] = [];
      if (customer !== undefined) where.push({ field: 'customer', op: '==', value: customer });
      if (status !== undefined) where.push({ field: 'status', op: '==', value: status });
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await subscriptions.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(({ id, value }) => viewOf(id, value)) };
    },
    change: (actor, id, change) => {
      const prices = change.items.map(({ price }) => price);
      return act(
        actor,
        id,
        change.when === 'now' ? 'changed' : 'scheduled',
        (subscription, on) => (change.when === 'now' ? changedNow : planChange)(subscription, change, on),
        { prices },
      );
    },
    preview: async ({ tenant }, id, change) => {
      const { value } = await find(tenant, id);
      const on = await biller.ground(tenant, [value], { prices: change.items.map(({ price }) => price) });
      const { next, lines } = changedNow(value, { ...change, proration: 'invoice-now' }, on);
      return { id: 'preview', ...(await biller.preview(on, { next, lines })), subscription: id };
    },
    cancel: (actor, id, { when, refund }) => {
      const endsNow = when === 'now';
      const end = (subscription: Subscription, on: Ground): Step =>
        endsNow ? canceledNow(subscription, refund, on) : endingLater(subscription, on);
      return act(actor, id, 'canceled', end, { endsNow });
    },
    keep: (actor, id) =>
      act(actor, id, 'kept', (subscription) => ({
        next: { ...open(subscription), cancelAtPeriodEnd: false, canceledAt: null, scheduled: null },
        lines: [],
      })),
    pause: (actor, id, how) =>
      act(actor, id, 'paused', (subscription, on) => paused(subscription, how, on), { endsNow: true }),
    resume: (actor, id) =>
      act(actor, id, 'resumed', (subscription, on) => {
        if (subscription.status !== 'paused') throw new OmniError('precondition-failed', 'It is not paused.');
        requireAnotherDay(subscription, on.context.now);
        return resumed({ ...subscription, resumesAt: null }, on);
      }),
  };
};

/** Fails with `precondition-failed` for what is over. */
const open = (subscription: Subscription): Subscription => {
  if (subscription.status === 'canceled') throw new OmniError('precondition-failed', 'This subscription is over.');
  return subscription;
};

const endingLater = (subscription: Subscription, { context }: Ground): Step => ({
  next: { ...open(subscription), cancelAtPeriodEnd: true, canceledAt: isoTime(context.now) },
  lines: [],
});
