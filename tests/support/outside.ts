import { afterAll } from 'vitest';
import { startStripeServer } from './stripe-server.ts';

/** Local servers of the payment providers, for whoever starts every function: the environment that leads to them. */
export const outsideEnvironment = async (): Promise<Readonly<Record<string, string>>> => {
  const stripe = await startStripeServer();
  afterAll(stripe.stop);
  return { STRIPE_SECRET_KEY: stripe.secretKey, STRIPE_API_URL: stripe.baseUrl };
};
