import { OmniError } from '../kernel/errors.ts';
import {
  acmePay,
  btcPayGateway,
  chainsOf,
  coinbaseRates,
  createOnchain,
  createPayments,
  createPayPalClient,
  createStripeClient,
  type Onchain,
  type OpenGateway,
  ownAccount,
  type Payments,
  paypalGateway,
  stripeGateway,
} from '../payments/index.ts';
import { type AuditLog, publicFetch } from '../security/index.ts';
import {
  closedAccountCollection,
  createIntakeService,
  intakeCollection,
  accountCollection as providerAccounts,
} from '../webhooks/index.ts';
import type { Runtime } from './runtime.ts';

const needed = (credentials: Readonly<Record<string, string>>, field: string): string => {
  const value = credentials[field];
  if (value !== undefined) return value;
  throw new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: `body.credentials.${field}`, message: 'Is needed by this gateway' }],
  });
};

/** Every gateway that there is an adapter of. Only a BTCPay Server is where its tenant says. */
const gatewayOpener = ({ config, clock }: Pick<Runtime, 'config' | 'clock'>, onchain: Onchain): OpenGateway => {
  const outbound = publicFetch({ allowPrivate: config.environment === 'local' });
  return async (name, { credentials, livemode, tenant }) => {
    const field = (wanted: string): string => needed(credentials, wanted);
    const baseUrl = config.acmepayUrl;
    if (name === 'acmepay' && baseUrl !== undefined) {
      return acmePay({ baseUrl, secretKey: field('secretKey'), livemode, clock });
    }
    if (name === 'stripe') {
      const client = createStripeClient({ ...config.stripe, secretKey: field('secretKey'), clock });
      return stripeGateway({ client, account: ownAccount, clock });
    }
    if (name === 'paypal') {
      const { baseUrl: url, webhookUrl } = config.paypal;
      const [clientId, clientSecret] = [field('clientId'), field('clientSecret')];
      const client = createPayPalClient({ clientId, clientSecret, livemode, clock, baseUrl: url });
      return paypalGateway({ client, webhook: credentials.webhookId, webhookUrl });
    }
    if (name === 'crypto') {
      const [server, apiKey, store] = [field('serverUrl'), field('apiKey'), field('store')];
      return btcPayGateway({ baseUrl: server, apiKey, store, livemode, clock, fetch: outbound });
    }
    if (name === 'onchain') return onchain.gateway({ credentials, livemode, tenant });
    throw new OmniError('precondition-failed', `The gateway ${name} is not available here.`);
  };
};

/** What webhooks call a gateway. */
const providers = { stripe: 'stripe', paypal: 'paypal', acmepay: 'acmepay', crypto: 'btcpay' } as const;

type Part = 'config' | 'database' | 'bus' | 'tenants' | 'makeEvent' | 'newId' | 'clock' | 'logger';

/**
 * Payments with the gateways that there are, by configuration: of the function that has their API, and of those that take
 * money for what they sell. A module of its own, so that the latter can load it when they first do.
 */
export const paymentsOn = (
  runtime: Pick<Runtime, Part>,
  audit: Pick<AuditLog, 'record'>,
): { readonly payments: Payments; readonly onchain: Onchain } => {
  const { config, database, bus, tenants, makeEvent, newId, clock, logger } = runtime;
  const intake = createIntakeService({
    database,
    intake: database.platform(intakeCollection),
    bus,
    accounts: database.platform(providerAccounts),
    closedAccounts: database.platform(closedAccountCollection),
    tenants,
    makeEvent,
    clock,
  });
  const { endpoints, tokens, ratesUrl } = config.onchain;
  const rates = coinbaseRates({ baseUrl: ratesUrl, clock });
  const onchain = createOnchain({ database, chains: chainsOf(endpoints, tokens), rates, clock });
  const payments = createPayments({
    database,
    openGateway: gatewayOpener(runtime, onchain),
    isSandbox: async (tenant) => (await tenants.get(tenant)).sandboxOf !== undefined,
    claim: async (gateway, { id, livemode, webhook }, tenant) => {
      // Chains send no webhooks.
      if (gateway === 'onchain') return;
      const known = webhook === undefined ? undefined : { id: webhook, livemode };
      await intake.connect(providers[gateway], id, tenant, known);
    },
    audit,
    makeEvent,
    newId,
    clock,
    logger,
  });
  return { payments, onchain };
};
