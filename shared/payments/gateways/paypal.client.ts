import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { OrdersController, PaymentsController } from '@paypal/paypal-server-sdk';
import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { type OutsideSystem, outsideSystem } from '../../kernel/outside-system.ts';
import { paypalRefusalOf } from './paypal.errors.ts';

export interface PayPalClientOptions {
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

export interface PayPalApi {
  readonly orders: OrdersController;
  readonly payments: PaymentsController;
}

export interface PayPalClient {
  readonly livemode: boolean;
  /** Errors as for Gateway. */
  call<R>(work: (api: PayPalApi) => Promise<R>): Promise<R>;
  /** Whose the credentials are: PayPal's id of the merchant. */
  merchant(): Promise<string>;
  status: OutsideSystem['status'];
}

const tokenSchema = z.object({ access_token: z.string() });
const userSchema = z.object({ payer_id: z.string().min(1) });

/** The SDK knows no other address than PayPal's own: what it sends is led elsewhere where its HTTP client opens the socket. */
const transportTo = ({ hostname, port }: URL) => ({
  request: (options: RequestOptions, answered: (response: IncomingMessage) => void): ClientRequest =>
    httpRequest({ ...options, protocol: 'http:', hostname, port, agent: false }, answered),
});

const load = async (options: PayPalClientOptions): Promise<PayPalApi> => {
  const { clientId, clientSecret, livemode, baseUrl, timeout = 20 } = options;
  if (clientId === undefined || clientSecret === undefined) {
    throw new OmniError('unavailable', 'PayPal is not configured.');
  }
  const sdk = await import('@paypal/paypal-server-sdk');
  const client = new sdk.Client({
    clientCredentialsAuthCredentials: { oAuthClientId: clientId, oAuthClientSecret: clientSecret },
    environment: livemode ? sdk.Environment.Production : sdk.Environment.Sandbox,
    timeout: timeout * 1_000,
    // Repetitions are ours.
    httpClientOptions: { timeout: timeout * 1_000, retryConfig: { maxNumberOfRetries: 0 } },
    ...(baseUrl === undefined ? {} : { unstable_httpClientOptions: { transport: transportTo(new URL(baseUrl)) } }),
  });
  return { orders: new sdk.OrdersController(client), payments: new sdk.PaymentsController(client) };
};

/** PayPal's SDK, loaded at the first call, with our own bounded repetitions around it. */
export const createPayPalClient = (options: PayPalClientOptions): PayPalClient => {
  const { clock, wait, livemode, clientId, clientSecret, timeout = 20 } = options;
  const system = outsideSystem({
    name: 'PayPal',
    clock,
    timeout: timeout + 1,
    ...(wait === undefined ? {} : { wait }),
  });
  const baseUrl = options.baseUrl ?? (livemode ? 'https://api-m.paypal.com' : 'https://api-m.sandbox.paypal.com');
  let api: Promise<PayPalApi> | undefined;

  const fetchJson = async (path: string, init: RequestInit): Promise<unknown> => {
    const signal = AbortSignal.timeout(timeout * 1_000);
    const response = await fetch(`${baseUrl}${path}`, { ...init, redirect: 'error', signal });
    if (!response.ok) {
      throw Object.assign(new Error('PayPal refused.'), { statusCode: response.status, body: await response.text() });
    }
    return response.json();
  };
  const guarded = <R>(work: () => Promise<R>): Promise<R> =>
    system.call(async () => {
      try {
        return await work();
      } catch (error) {
        throw paypalRefusalOf(error);
      }
    });

  return {
    livemode,
    status: system.status,
    call: (work) =>
      guarded(async () => {
        api ??= load(options);
        const loaded = await api.catch((error: unknown) => {
          api = undefined;
          throw error;
        });
        return work(loaded);
      }),
    merchant: () =>
      guarded(async () => {
        const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
        const body = new URLSearchParams({ grant_type: 'client_credentials' });
        const token = tokenSchema.parse(
          await fetchJson('/v1/oauth2/token', { method: 'POST', headers: { authorization }, body }),
        );
        const headers = { authorization: `Bearer ${token.access_token}` };
        const user = await fetchJson('/v1/identity/oauth2/userinfo?schema=paypalv1.1', { headers });
        return userSchema.parse(user).payer_id;
      }),
  };
};
