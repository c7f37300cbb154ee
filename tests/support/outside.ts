import { afterAll } from 'vitest';
import { startPayPalServer } from './paypal-server.ts';
import { startStripeServer } from './stripe-server.ts';

/** Local servers of the payment providers, for whoever starts every function: the environment that leads to them. */
export const outsideEnvironment = async (): Promise<Readonly<Record<string, string>>> => {
  const [stripe, paypal] = await Promise.all([startStripeServer(), startPayPalServer()]);
  afterAll(stripe.stop);
  afterAll(paypal.stop);
  return { STRIPE_SECRET_KEY: stripe.secretKey, STRIPE_API_URL: stripe.baseUrl, PAYPAL_API_URL: paypal.baseUrl };
};
