import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId, type NewId } from '../../kernel/ids.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Filter, Store, Stored, TenantStore } from '../../store/store.ts';
import type { Mode } from '../accounts/gateway-account.schema.ts';
import type { GatewayAccountService } from '../accounts/gateway-account.service.ts';
import type { GatewayName, GatewayPayment } from '../gateways/gateway.ts';
import { type Route, routePayment } from '../routing/route.ts';
import type { RoutingRuleService } from '../routing/routing-rule.service.ts';
import type { BookedBesides } from '../stripe/stripe-booked.ts';
import { createCapture } from './payment.capture.ts';
import { newAttempt, nextChoice, type PaymentDriver } from './payment.driver.ts';
import { finalStates } from './payment.merge.ts';
import { createRefunds } from './payment.refunds.ts';
import {
  type Fact,
  type ParkedPayment,
  type ParkedPaymentView,
  type Payment,
  type PaymentInput,
  type PaymentState,
  type PaymentView,
  type PaymentWatch,
  paymentViewSchema,
  type Refund,
  type RefundInput,
} from './payment.schema.ts';
import type { PaymentSync } from './payment.sync.ts';
import { abandonedAfter, startWatch, watchId } from './payment.watch.ts';

export interface PaymentQuery extends PageRequest {
  readonly status?: PaymentState | undefined;
  readonly customer?: string | undefined;
  readonly mode?: Mode | undefined;
  readonly gateway?: GatewayName | undefined;
}

/** Payments, whatever gateway takes them. */
export interface PaymentService {
  /**
   * Asks for a payment. With a `reference` there is one payment for it, whoever asks and however often; else one for
   * each idempotency key of the actor. The answer says where it stands: `created` is a payment of which is not known yet
   * whether the gateway has it, which is found out later. Fails with `precondition-failed` where no gateway can take it,
   * `idempotency-mismatch` where the reference is another payment's, and `rate-limited`.
   */
  create(actor: Actor, input: PaymentInput): Promise<PaymentView>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<PaymentView>;
  /** The payment of a `reference` in the mode that is the tenant's where none is given; undefined where there is none. */
  find(actor: Actor, reference: string): Promise<PaymentView | undefined>;
  /** The newest first. */
  list(actor: Actor, query: PaymentQuery): Promise<Page<PaymentView>>;
  /** After the payer has come back. It does what the gateway's webhook does, and either may come first. */
  confirm(actor: Actor, id: string): Promise<PaymentView>;
  /** Takes what is held, or a part of it. Fails with `precondition-failed` where nothing is held. */
  capture(actor: Actor, id: string, amount?: number): Promise<PaymentView>;
  /** Gives up what is not captured. Fails with `precondition-failed` where it is too late. */
  cancel(actor: Actor, id: string): Promise<PaymentView>;
  /** Pays back, never more than was captured. Fails with `precondition-failed`. */
  refund(actor: Actor, id: string, input: RefundInput): Promise<Refund>;
  refunds(actor: Actor, id: string): Promise<readonly Refund[]>;
  /** What is known to have happened, in the order in which it became known. */
  timeline(actor: Actor, id: string): Promise<readonly Fact[]>;
  /** Where a payment would go, and why. Nothing is charged. */
  route(actor: Actor, input: PaymentInput): Promise<Route>;
  /** What gateways told of that is no payment of ours. */
  parked(actor: Actor, page: PageRequest): Promise<Page<ParkedPaymentView>>;
  /** Does for a payment whatever is still to be done, and looks at it again. */
  pursue(tenant: string, id: string): Promise<void>;
}

export interface PaymentServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly payments: TenantStore<Payment>;
  readonly watches: Store<PaymentWatch>;
  readonly parked: TenantStore<ParkedPayment>;
  readonly bookedBesides: BookedBesides;
  readonly accounts: Pick<GatewayAccountService, 'usable' | 'open'>;
  readonly rules: Pick<RoutingRuleService, 'list'>;
  readonly driver: PaymentDriver;
  readonly sync: PaymentSync;
  readonly isSandbox: (tenant: string) => Promise<boolean>;
  readonly newId: NewId;
  readonly clock: Clock;
}

const viewOf = ({ id, value }: Stored<Payment>): PaymentView => paymentViewSchema.parse({ ...value, id });
const isOver = ({ status }: GatewayPayment): boolean => status === 'failed' || status === 'canceled';
const tooEarly = () => new OmniError('precondition-failed', 'The gateway is still being asked for this payment.');

const draftOf = (id: string, input: PaymentInput, mode: Mode, routing: Route, now: number): Payment => {
  const choice = nextChoice({ routing: { ...routing, candidates: [...routing.candidates] }, attempts: [] });
  if (choice === undefined) {
    const why = routing.candidates.map(({ account, reasons }) => `${account} ${reasons.join(', ')}`).join('; ');
    const what = why === '' ? `there is no gateway account of the mode ${mode}` : why;
    throw new OmniError('precondition-failed', `No gateway can take this payment: ${what}.`);
  }
  const time = isoTime(now);
  return {
    reference: input.reference ?? null,
    status: 'created',
    amount: input.amount,
    currency: input.currency,
    capture: input.capture,
    customer: input.customer ?? null,
    description: input.description ?? null,
    mode,
    gateway: choice.gateway,
    account: choice.account,
    gatewayReference: null,
    routing: { ...routing, candidates: [...routing.candidates] },
    captured: 0,
    refunded: 0,
    disputed: 0,
    held: 0,
    fee: null,
    nextAction: null,
    decline: null,
    deleted: false,
    createdAt: time,
    updatedAt: time,
    offSession: input.offSession,
    returnUrl: input.returnUrl ?? null,
    sources: input.sources,
    hash: sha256(canonicalJson(input)),
    attempts: [newAttempt(id, 1, choice, now)],
    captureRequested: null,
    captureRequestedAt: null,
    refunds: [],
    disputes: [],
    facts: [],
    syncedAt: null,
  };
};

export const createPaymentService = (options: PaymentServiceOptions): PaymentService => {
  const { database, payments, watches, accounts, rules, driver, sync, isSandbox, newId, clock } = options;
  const commit: Database['transaction'] = (work) => database.transaction(work);

  const find = async (tenant: string, id: string): Promise<Stored<Payment>> => {
    const stored = await payments.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such payment.');
    return stored;
  };
  const refunds = createRefunds({ ...options, find });

  const modeOf = async (tenant: string, wanted: Mode | undefined): Promise<Mode> => {
    if (!(await isSandbox(tenant))) return wanted ?? 'live';
    if (wanted === 'live') throw new OmniError('forbidden', 'A sandbox has payments of the test mode only.');
    return 'test';
  };

  const routeFor = async (actor: Actor, input: PaymentInput, mode: Mode): Promise<Route> => {
    const [usable, all] = await Promise.all([accounts.usable(actor.tenant, mode), rules.list(actor)]);
    const { amount, currency, capture, offSession, country, sources } = input;
    const gateways = sources.map(({ gateway }) => gateway);
    return routePayment({ amount: { amount, currency }, capture, offSession, country, gateways }, usable, all);
  };

  /** The payment that is there already: the same question finds it, and helps it on. */
  const repeated = async (tenant: string, stored: Stored<Payment>, input: PaymentInput): Promise<PaymentView> => {
    if (stored.value.hash !== sha256(canonicalJson(input))) {
      throw new OmniError('idempotency-mismatch', 'This reference or key came with another payment before.');
    }
    return viewOf(await driver.drive(tenant, stored));
  };

  const ofGateway = async (tenant: string, id: string) => {
    const stored = await find(tenant, id);
    const { account, gatewayReference } = stored.value;
    if (account === null || gatewayReference === null) throw tooEarly();
    const { gateway } = await accounts.open(tenant, account);
    return { stored, gateway, reference: gatewayReference };
  };

  const refreshed = async (tenant: string, id: string): Promise<PaymentView> =>
    viewOf(await sync.refresh(tenant, id, commit));

  /** A call that the gateway refuses may have been made before, by whoever lost its answer: the state tells. */
  const unlessDone = async (
    call: () => Promise<GatewayPayment>,
    { tenant, id, isDone }: { tenant: string; id: string; isDone: (payment: PaymentView) => boolean },
  ): Promise<PaymentView> => {
    let answer: GatewayPayment;
    try {
      answer = await call();
    } catch (error) {
      if (!isOmniError(error, 'precondition-failed') && !isOmniError(error, 'invalid-request')) throw error;
      const payment = await refreshed(tenant, id);
      if (isDone(payment)) return payment;
      throw error;
    }
    const payment = await refreshed(tenant, id);
    if (!isOver(answer) || finalStates.has(payment.status)) return payment;
    // The gateway keeps no such end: it is ours to keep.
    const told = { remote: answer, fetchedAt: clock.now() };
    return viewOf(await sync.apply(tenant, await find(tenant, id), told, commit));
  };

  const cancel = async (tenant: string, id: string, key: string): Promise<PaymentView> => {
    const { stored, gateway, reference } = await ofGateway(tenant, id);
    if (stored.value.status === 'canceled') return viewOf(stored);
    if (finalStates.has(stored.value.status)) throw new OmniError('precondition-failed', 'The payment is final.');
    const call = () => gateway.cancel(reference, `${id}:${key}`);
    return unlessDone(call, { tenant, id, isDone: ({ status }) => status === 'canceled' });
  };

  /**
   * Gives up what the payer did nothing about. What can't be given up is no longer asked for: its webhook still tells.
   */
  const abandon = async (tenant: string, { id, value }: Stored<Payment>): Promise<void> => {
    if (clock.now() - Date.parse(value.createdAt) <= abandonedAfter) return;
    try {
      await cancel(tenant, id, 'abandoned');
    } catch (error) {
      if (!isOmniError(error, 'precondition-failed') && !isOmniError(error, 'invalid-request')) throw error;
      const { status } = (await find(tenant, id)).value;
      if (status === 'requires-action') await watches.delete(watchId(tenant, id));
    }
  };

  const capture = createCapture({ payments, find, ofGateway, unlessDone, clock });

  return {
    create: async (actor, input) => {
      const { tenant } = actor;
      const mode = await modeOf(tenant, input.mode);
      const { reference } = input;
      const id = reference === undefined ? idsFor(actor, newId)('pay') : derivedId('pay', tenant, mode, reference);
      const before = await payments.of(tenant).get(id);
      if (before !== undefined) return repeated(tenant, before, input);
      const draft = draftOf(id, input, mode, await routeFor(actor, input, mode), clock.now());
      try {
        await database.transaction((transaction) => {
          transaction.create(payments.of(tenant), id, draft);
          startWatch(transaction, watches, { tenant, id, account: draft.account, now: clock.now(), wait: 'asked' });
        });
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        return repeated(tenant, await find(tenant, id), input);
      }
      return viewOf(await driver.begin(tenant, await find(tenant, id)));
    },
    get: async ({ tenant }, id) => viewOf(await find(tenant, id)),
    find: async ({ tenant }, reference) => {
      const id = derivedId('pay', tenant, await modeOf(tenant, undefined), reference);
      const stored = await payments.of(tenant).get(id);
      return stored && viewOf(stored);
    },
    list: async ({ tenant }, { status, customer, mode, gateway, limit, cursor }) => {
      const where: Filter[] = [];
      if (status !== undefined) where.push({ field: 'status', op: '==', value: status });
      if (customer !== undefined) where.push({ field: 'customer', op: '==', value: customer });
      if (mode !== undefined) where.push({ field: 'mode', op: '==', value: mode });
      if (gateway !== undefined) where.push({ field: 'gateway', op: '==', value: gateway });
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await payments.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    confirm: async ({ tenant }, id) => {
      const { stored, gateway, reference } = await ofGateway(tenant, id);
      if (finalStates.has(stored.value.status)) return viewOf(stored);
      const call = () => gateway.confirm(reference, `${id}:confirm`);
      return unlessDone(call, { tenant, id, isDone: () => true });
    },
    capture,
    cancel: async ({ tenant }, id) => cancel(tenant, id, 'cancel'),
    refund: async (actor, id, input) => refunds.make(actor, id, input),
    refunds: async ({ tenant }, id) => (await find(tenant, id)).value.refunds,
    timeline: async ({ tenant }, id) => (await find(tenant, id)).value.facts,
    route: async (actor, input) => routeFor(actor, input, await modeOf(actor.tenant, input.mode)),
    parked: async ({ tenant }, { limit, cursor }) => {
      const page = await options.parked.of(tenant).query({ limit, cursor });
      const atStripe = page.items.filter(({ value }) => value.gateway === 'stripe');
      const references = atStripe.map(({ value }) => value.gatewayReference);
      const booked = await options.bookedBesides(tenant, 'stripe', references);
      const unknown = page.items.filter(({ value }) => !booked.has(value.gatewayReference));
      return { ...page, items: unknown.map(({ id, value }) => ({ id, ...value })) };
    },
    pursue: async (tenant, id) => {
      const stored = await payments.of(tenant).get(id);
      if (stored === undefined) return;
      if (stored.value.status === 'created') await driver.drive(tenant, stored);
      else if (stored.value.status === 'requires-action') await abandon(tenant, stored);
      else await refunds.pursue(tenant, stored);
    },
  };
};
