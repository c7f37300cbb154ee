import type Stripe from 'stripe';
import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { type OutsideSystem, outsideSystem } from '../../kernel/outside-system.ts';
import { refusalOf } from './stripe.errors.ts';

/** What our code is written for. The webhook endpoints of a deployment are made with it too. */
export const stripeApiVersion = '2026-10-28.endive';

/** The name of the deployment's own account, which has no `acct_…` where Stripe tells of it. */
export const platformAccount = 'platform';

/** The account that a tenant's own key is of, which it need not name. */
export const ownAccount = 'own';

export interface StripeClientOptions {
  /** `sk_…` or `rk_…`; without one every call fails with `unavailable`. */
  readonly secretKey: string | undefined;
  /** `https://api.stripe.com` where absent. */
  readonly baseUrl?: string | undefined;
  readonly clock: Clock;
  /** Seconds for one attempt, 20 where absent. */
  readonly timeout?: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** What a call is given to hand on: whose account it is in, and that the SDK is not to repeat it by itself. */
export type StripeCallOptions = Pick<Stripe.RequestOptions, 'stripeAccount' | 'idempotencyKey' | 'maxNetworkRetries'>;

export interface StripeClient {
  /** Whether money moves. */
  readonly livemode: boolean;
  /**
   * A call in an account. A write needs its idempotency key. Errors as for Gateway; `idempotency-mismatch` where the key
   * came with other parameters before. `translate` may make an answer of an error.
   */
  call<R>(
    account: string,
    key: string | undefined,
    work: (stripe: Stripe, options: StripeCallOptions) => Promise<R>,
    translate?: (error: unknown) => R | undefined,
  ): Promise<R>;
  status: OutsideSystem['status'];
}

const load = async ({ secretKey, baseUrl, timeout = 20 }: StripeClientOptions): Promise<Stripe> => {
  if (secretKey === undefined) throw new OmniError('unavailable', 'Stripe is not configured.');
  const { default: StripeSdk } = await import('stripe');
  const url = new URL(baseUrl ?? 'https://api.stripe.com');
  return new StripeSdk(secretKey, {
    apiVersion: stripeApiVersion,
    maxNetworkRetries: 0,
    timeout: timeout * 1_000,
    telemetry: false,
    host: url.hostname,
    protocol: url.protocol === 'http:' ? 'http' : 'https',
    ...(url.port === '' ? {} : { port: url.port }),
  });
};

/** Stripe's SDK, loaded at the first call, with our own bounded repetitions around it. */
export const createStripeClient = (options: StripeClientOptions): StripeClient => {
  const { clock, wait, timeout = 20, secretKey } = options;
  const system = outsideSystem({
    name: 'Stripe',
    clock,
    timeout: timeout + 1,
    ...(wait === undefined ? {} : { wait }),
  });
  let sdk: Promise<Stripe> | undefined;
  return {
    livemode: /^[sr]k_live_/.test(secretKey ?? ''),
    status: system.status,
    call: (account, key, work, translate) =>
      system.call(async () => {
        sdk ??= load(options);
        const stripe = await sdk.catch((error: unknown) => {
          sdk = undefined;
          throw error;
        });
        try {
          return await work(stripe, {
            maxNetworkRetries: 0,
            ...(account === platformAccount || account === ownAccount ? {} : { stripeAccount: account }),
            ...(key === undefined ? {} : { idempotencyKey: key }),
          });
        } catch (error) {
          const answer = translate?.(error);
          if (answer !== undefined) return answer;
          throw refusalOf(error);
        }
      }),
  };
};
