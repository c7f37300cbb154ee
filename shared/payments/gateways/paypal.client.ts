import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { OrdersController, PaymentsController, TransactionSearchController } from '@paypal/paypal-server-sdk';
import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';
import type { OutsideSystem } from '../../kernel/outside-system.ts';
import { createPayPalRest, type PayPalOptions, type PayPalRest } from './paypal.rest.ts';

export interface PayPalApi {
  readonly orders: OrdersController;
  readonly payments: PaymentsController;
  readonly reports: TransactionSearchController;
}

export interface PayPalClient {
  readonly livemode: boolean;
  readonly clock: PayPalOptions['clock'];
  /** Errors as for Gateway. */
  call<R>(work: (api: PayPalApi) => Promise<R>): Promise<R>;
  /** What the SDK does not have. */
  readonly rest: PayPalRest;
  /** Whose the credentials are: PayPal's id of the merchant. */
  merchant(): Promise<string>;
  status: OutsideSystem['status'];
}

const userSchema = z.object({ payer_id: z.string().min(1) });

/** The SDK knows no other address than PayPal's own: what it sends is led elsewhere where its HTTP client opens the socket. */
const transportTo = ({ hostname, port }: URL) => ({
  request: (options: RequestOptions, answered: (response: IncomingMessage) => void): ClientRequest =>
    httpRequest({ ...options, protocol: 'http:', hostname, port, agent: false }, answered),
});

const load = async (options: PayPalOptions): Promise<PayPalApi> => {
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
  return {
    orders: new sdk.OrdersController(client),
    payments: new sdk.PaymentsController(client),
    reports: new sdk.TransactionSearchController(client),
  };
};

/** PayPal's SDK, loaded at the first call, with our own bounded repetitions around it. */
export const createPayPalClient = (options: PayPalOptions): PayPalClient => {
  const rest = createPayPalRest(options);
  let api: Promise<PayPalApi> | undefined;
  return {
    livemode: options.livemode,
    clock: options.clock,
    status: rest.status,
    rest,
    call: (work) =>
      rest.guarded(async () => {
        api ??= load(options);
        const loaded = await api.catch((error: unknown) => {
          api = undefined;
          throw error;
        });
        return work(loaded);
      }),
    merchant: async () => (await rest.get('/v1/identity/oauth2/userinfo?schema=paypalv1.1', userSchema)).payer_id,
  };
};
