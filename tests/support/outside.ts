import { afterAll } from 'vitest';
import { createEvmChain, startEvmNode } from './evm-node.ts';
import { startPayPalServer } from './paypal-server.ts';
import { startRatesServer } from './rates-server.ts';
import { startStripeServer } from './stripe-server.ts';

/** Base on this machine, by two nodes, with the contracts of its stablecoins. */
const startBase = async () => {
  const chain = createEvmChain({ now: Date.now });
  chain.extend(5);
  chain.finalise();
  const [usdc, eurc] = [
    '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42',
  ] as const;
  const options = { chainId: 8_453, tokens: { [usdc]: 6, [eurc]: 6 }, now: Date.now };
  return Promise.all([startEvmNode(chain, options), startEvmNode(chain, options)]);
};

/** Local servers of the payment providers, for whoever starts every function: the environment that leads to them. */
export const outsideEnvironment = async (): Promise<Readonly<Record<string, string>>> => {
  const [stripe, paypal, rates, nodes] = await Promise.all([
    startStripeServer(),
    startPayPalServer(),
    startRatesServer(),
    startBase(),
  ]);
  for (const server of [stripe, paypal, rates, ...nodes]) afterAll(() => server.stop());
  return {
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_API_URL: stripe.baseUrl,
    PAYPAL_API_URL: paypal.baseUrl,
    ONCHAIN_RPC_URLS: nodes.map(({ url }) => `base=${url}`).join(','),
    ONCHAIN_RATES_URL: rates.baseUrl,
  };
};
