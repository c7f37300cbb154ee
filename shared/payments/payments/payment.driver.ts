import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { GatewayAccountService } from '../accounts/gateway-account.service.ts';
import type { CreatePayment, Gateway, GatewayPayment } from '../gateways/gateway.ts';
import { refused } from './payment.merge.ts';
import type { Attempt, Payment } from './payment.schema.ts';
import type { PaymentSync } from './payment.sync.ts';

export interface PaymentDriver {
  /** Takes a payment to its gateway whose first attempt the caller has just made, and holds. */
  begin(tenant: string, stored: Stored<Payment>): Promise<Stored<Payment>>;
  /**
   * Takes a payment that is `created` to its gateway, or finds out what became of it there. Any number of workers may
   * call it at once. Returns the payment, which is still `created` where nothing could be found out, or somebody else
   * is at it. Fails with `rate-limited` where the gateway wants to be left alone.
   */
  drive(tenant: string, stored: Stored<Payment>): Promise<Stored<Payment>>;
}

export interface PaymentDriverOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly payments: TenantStore<Payment>;
  readonly accounts: Pick<GatewayAccountService, 'open'>;
  readonly sync: Pick<PaymentSync, 'apply' | 'commit'>;
  readonly clock: Clock;
}

/** Milliseconds that a worker has for a call; after that another may make it. */
export const callLease = 60_000;
const maxAttempts = 4;
/** Seconds after which no call is under way any more. */
export const settledAfter = 3_600;
/** Answers which say that the call had no effect and will have none. */
export const refusals: ReadonlySet<string> = new Set([
  'invalid-request',
  'precondition-failed',
  'forbidden',
  'not-found',
  'rate-limited',
]);

export const newAttempt = (id: string, ordinal: number, { account, gateway }: Choice, now: number): Attempt => ({
  account,
  gateway,
  key: `${id}:${ordinal}`,
  calls: 1,
  leaseUntil: isoTime(now + callLease),
  outcome: 'open',
  refusal: null,
  startedAt: isoTime(now),
});

type Choice = Pick<Attempt, 'account' | 'gateway'>;

/** The next account that could take it and was not asked. */
export const nextChoice = ({ routing, attempts }: Pick<Payment, 'routing' | 'attempts'>): Choice | undefined =>
  attempts.length >= maxAttempts
    ? undefined
    : routing.candidates.find(
        ({ account, eligible }) => eligible && !attempts.some((attempt) => attempt.account === account),
      );

const requestOf = (tenant: string, { id, value }: Stored<Payment>, attempt: Attempt): CreatePayment => {
  const source = value.sources.find(({ gateway }) => gateway === attempt.gateway);
  return {
    payment: id,
    tenant,
    amount: { amount: value.amount, currency: value.currency },
    capture: value.capture,
    offSession: value.offSession,
    customer: source?.customer,
    paymentMethod: source?.paymentMethod,
    description: value.description ?? undefined,
    returnUrl: value.returnUrl ?? undefined,
  };
};

type Answer = { readonly remote: GatewayPayment } | { readonly refusal: OmniError } | { readonly unknown: unknown };

export const createPaymentDriver = (options: PaymentDriverOptions): PaymentDriver => {
  const { database, payments, accounts, sync, clock } = options;
  const commit: Database['transaction'] = (work) => database.transaction(work);

  const keep = async (tenant: string, stored: Stored<Payment>, change: Partial<Payment>): Promise<Stored<Payment>> => {
    const { id, value, revision } = stored;
    const next = { ...value, ...change, updatedAt: isoTime(clock.now()) };
    return payments.of(tenant).update(id, next, { revision });
  };
  const withLast = ({ attempts }: Payment, change: Partial<Attempt>): Attempt[] =>
    attempts.map((attempt, i) => (i === attempts.length - 1 ? { ...attempt, ...change } : attempt));

  const find = async (gateway: Gateway, id: string): Promise<GatewayPayment | undefined> =>
    gateway.capabilities.lookupByOwnReference ? gateway.find(id) : undefined;

  /**
   * What a call that failed means. Only the first call can be refused for sure: an earlier one may still have its
   * effect, until so long after that none can be under way any more.
   */
  const meaningOf = async (error: unknown, id: string, { calls }: Attempt, age: number, gateway: Gateway) => {
    const refusal = isOmniError(error) && refusals.has(error.code) ? error : undefined;
    if (refusal !== undefined && calls === 1) return { refusal };
    if (!gateway.capabilities.lookupByOwnReference) return { unknown: error };
    try {
      const remote = await gateway.find(id);
      if (remote !== undefined) return { remote };
      if (refusal !== undefined && refusal.code !== 'rate-limited' && age > settledAfter) return { refusal };
    } catch {
      // It can't be asked now. What became of the call stays unknown.
    }
    return { unknown: error };
  };

  const ask = async (tenant: string, stored: Stored<Payment>, attempt: Attempt, gateway: Gateway): Promise<Answer> => {
    const { idempotentFor, lookupByOwnReference } = gateway.capabilities;
    const isRepeated = attempt.calls > 1;
    const age = (clock.now() - Date.parse(attempt.startedAt)) / 1_000;
    const isForgotten = isRepeated && !lookupByOwnReference && age > idempotentFor * 0.9;
    if (isForgotten) return { unknown: new OmniError('unavailable', 'The key is forgotten there by now.') };
    try {
      const earlier = isRepeated ? await find(gateway, stored.id) : undefined;
      return { remote: earlier ?? (await gateway.create(requestOf(tenant, stored, attempt), attempt.key)) };
    } catch (error) {
      return meaningOf(error, stored.id, attempt, age, gateway);
    }
  };

  /** Takes the work on the last attempt; undefined where somebody else has it. */
  const claim = async (tenant: string, stored: Stored<Payment>): Promise<Stored<Payment> | undefined> => {
    const attempt = stored.value.attempts.at(-1);
    if (attempt === undefined || attempt.outcome !== 'open') return undefined;
    if (attempt.leaseUntil !== null && Date.parse(attempt.leaseUntil) > clock.now()) return undefined;
    const change = { calls: attempt.calls + 1, leaseUntil: isoTime(clock.now() + callLease) };
    try {
      return await keep(tenant, stored, { attempts: withLast(stored.value, change) });
    } catch (error) {
      if (isOmniError(error, 'revision-conflict')) return undefined;
      throw error;
    }
  };

  /**
   * The next account is asked only here: after a refusal of the one call that there was, which the revision proves.
   * What is unknown stays with its gateway.
   */
  const afterRefusal = async (
    tenant: string,
    stored: Stored<Payment>,
    refusal: string,
    error: OmniError | undefined,
  ): Promise<Stored<Payment> | 'again'> => {
    const { value } = stored;
    const attempts = withLast(value, { calls: 0, leaseUntil: null, outcome: 'refused', refusal });
    const isOnlyCall = value.attempts.at(-1)?.calls === 1;
    const choice = isOnlyCall ? nextChoice({ ...value, attempts }) : undefined;
    if (choice !== undefined) {
      const attempt = newAttempt(stored.id, attempts.length + 1, choice, clock.now());
      await keep(tenant, stored, { ...choice, attempts: [...attempts, attempt] });
      return 'again';
    }
    if (error !== undefined && isOmniError(error, 'rate-limited')) {
      await keep(tenant, stored, { attempts: withLast(value, { calls: 0, leaseUntil: null }) });
      throw error;
    }
    return sync.commit(tenant, stored, refused(value, refusal, clock.now()), commit);
  };

  const step = async (tenant: string, stored: Stored<Payment>): Promise<Stored<Payment> | 'again'> => {
    const attempt = stored.value.attempts.at(-1);
    if (attempt === undefined) return stored;
    const { gateway } = await accounts.open(tenant, attempt.account);
    const fetchedAt = clock.now();
    const answer = await ask(tenant, stored, attempt, gateway);
    if ('refusal' in answer) return afterRefusal(tenant, stored, answer.refusal.code, answer.refusal);
    if ('unknown' in answer) {
      await keep(tenant, stored, { attempts: withLast(stored.value, { leaseUntil: null }) });
      if (isOmniError(answer.unknown, 'rate-limited')) throw answer.unknown;
      return 'again';
    }
    const { remote } = answer;
    const isGatewaysFault = remote.status === 'failed' && remote.decline === 'processing-error';
    if (isGatewaysFault && attempt.calls === 1 && nextChoice(stored.value) !== undefined) {
      return afterRefusal(tenant, stored, 'processing-error', undefined);
    }
    return sync.apply(tenant, stored, { remote, fetchedAt }, commit);
  };

  const isHeld = ({ value }: Stored<Payment>): boolean => {
    const lease = value.attempts.at(-1)?.leaseUntil ?? null;
    return lease !== null && Date.parse(lease) > clock.now();
  };

  const reread = async (tenant: string, id: string): Promise<Stored<Payment>> => {
    const stored = await payments.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such payment.');
    return stored;
  };

  /** `mine` holds the lease of its last attempt. */
  const work = async (tenant: string, mine: Stored<Payment>): Promise<Stored<Payment>> => {
    let current = mine;
    for (let i = 0; i < maxAttempts; i += 1) {
      const attempts = current.value.attempts.length;
      try {
        const result = await step(tenant, current);
        if (result !== 'again') return result;
      } catch (error) {
        // Somebody else, such as the webhook, was faster with what the gateway did.
        if (!isOmniError(error, 'revision-conflict')) throw error;
      }
      current = await reread(tenant, current.id);
      if (current.value.status !== 'created' || current.value.attempts.length === attempts) return current;
      if (!isHeld(current)) return current;
    }
    return current;
  };

  return {
    begin: work,
    drive: async (tenant, stored) => {
      if (stored.value.status !== 'created') return stored;
      const claimed = await claim(tenant, stored);
      return claimed === undefined ? reread(tenant, stored.id) : work(tenant, claimed);
    },
  };
};
