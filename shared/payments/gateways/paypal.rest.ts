import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { type OutsideSystem, outsideSystem } from '../../kernel/outside-system.ts';
import { paypalRefusalOf, paypalStatus } from './paypal.errors.ts';

export interface PayPalOptions {
  readonly clientId: string | undefined;
  readonly clientSecret: string | undefined;
  readonly livemode: boolean;
  readonly clock: Clock;
  /** A local server in the place of PayPal's, with HTTP. */
  readonly baseUrl?: string | undefined;
  /** Seconds for one attempt, 20 where absent. */
  readonly timeout?: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** What PayPal offers and its SDK has not. Errors as for Gateway. */
export interface PayPalRest {
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  /** Repeated where no answer came: for what is safe to be repeated. `body` is JSON. */
  post<T>(path: string, body: string, schema: z.ZodType<T>): Promise<T>;
  /** With repetitions, and with PayPal's refusals in our terms. */
  guarded<R>(work: () => Promise<R>): Promise<R>;
  status: OutsideSystem['status'];
}

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().min(0).default(300) });

/** Where PayPal's API is. */
export const paypalUrl = (livemode: boolean): string =>
  livemode ? 'https://api-m.paypal.com' : 'https://api-m.sandbox.paypal.com';

/** Headers as the SDK's errors have them, so that both are read by one function. */
const refusalOf = async (response: Response) =>
  Object.assign(new Error('PayPal refused.'), {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  });

export const createPayPalRest = (options: PayPalOptions): PayPalRest => {
  const { clock, wait, livemode, clientId, clientSecret, timeout = 20 } = options;
  const baseUrl = options.baseUrl ?? paypalUrl(livemode);
  const system = outsideSystem({
    name: 'PayPal',
    clock,
    timeout: timeout + 1,
    ...(wait === undefined ? {} : { wait }),
  });
  let token: { readonly text: string; readonly until: number } | undefined;

  const request = async (path: string, init: RequestInit): Promise<unknown> => {
    const signal = AbortSignal.timeout(timeout * 1_000);
    const response = await fetch(`${baseUrl}${path}`, { ...init, redirect: 'error', signal });
    if (!response.ok) throw await refusalOf(response);
    return response.json();
  };

  const authorised = async (): Promise<string> => {
    if (token !== undefined && token.until > clock.now()) return token.text;
    if (clientId === undefined || clientSecret === undefined) {
      throw new OmniError('unavailable', 'PayPal is not configured.');
    }
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    const answer = tokenSchema.parse(
      await request('/v1/oauth2/token', { method: 'POST', headers: { authorization }, body }),
    );
    // A while before its end, for the calls that are made with it.
    token = { text: answer.access_token, until: clock.now() + Math.max(0, answer.expires_in - 60) * 1_000 };
    return token.text;
  };

  const guarded: PayPalRest['guarded'] = (work) =>
    system.call(async () => {
      try {
        return await work();
      } catch (error) {
        throw paypalRefusalOf(error);
      }
    });

  const call = <T>(path: string, init: RequestInit, schema: z.ZodType<T>): Promise<T> =>
    guarded(async () => {
      const headers = { ...init.headers, authorization: `Bearer ${await authorised()}` };
      try {
        return schema.parse(await request(path, { ...init, headers }));
      } catch (error) {
        // The next call has another.
        if (paypalStatus(error) === 401) token = undefined;
        throw error;
      }
    });

  return {
    guarded,
    status: system.status,
    get: (path, schema) => call(path, {}, schema),
    post: (path, body, schema) =>
      call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }, schema),
  };
};
