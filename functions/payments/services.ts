import { OmniError } from '#shared/kernel/errors.ts';
import {
  acmePay,
  btcPayGateway,
  createPayments,
  createPayPalClient,
  createStripeClient,
  createStripeServices,
  createSubscriptionService,
  type OpenGateway,
  ownAccount,
  paypalGateway,
  stripeGateway,
  subscriptionCollection,
} from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasers.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { createAuditing, publicFetch, subjectCipher } from '#shared/security/index.ts';
import {
  createIntakeService,
  intakeCollection,
  accountCollection as providerAccounts,
} from '#shared/webhooks/index.ts';

const needed = (credentials: Readonly<Record<string, string>>, field: string): string => {
  const value = credentials[field];
  if (value !== undefined) return value;
  throw new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: `body.credentials.${field}`, message: 'Is needed by this gateway' }],
  });
};

/** Every gateway that there is an adapter of. Only a BTCPay Server is where its tenant says. */
const gatewayOpener = ({ config, clock }: Pick<Runtime, 'config' | 'clock'>): OpenGateway => {
  const outbound = publicFetch({ allowPrivate: config.environment === 'local' });
  return async (name, { credentials, livemode }) => {
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
    throw new OmniError('precondition-failed', `The gateway ${name} is not available here.`);
  };
};

/** What webhooks call a gateway. */
const providers = { stripe: 'stripe', paypal: 'paypal', acmepay: 'acmepay', crypto: 'btcpay' } as const;

export const createServices = (runtime: Runtime) => {
  const { database, bus, makeEvent, newId, clock, logger, tenants, blobs, lockedBlobs: rootBlobs } = runtime;
  const subscriptions = database.tenants(subscriptionCollection);
  const { audit } = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(runtime.keyRings) });
  const intake = createIntakeService({
    database,
    intake: database.platform(intakeCollection),
    bus,
    accounts: database.platform(providerAccounts),
    makeEvent,
    clock,
  });
  const stripeClient = createStripeClient({ ...runtime.config.stripe, clock });
  return {
    erasing: erasingOf(runtime),
    ...createStripeServices({ database, client: stripeClient, makeEvent, newId, clock }),
    subscriptions,
    subscriptionService: createSubscriptionService(subscriptions),
    ...createPayments({
      database,
      openGateway: gatewayOpener(runtime),
      isSandbox: async (tenant) => (await tenants.get(tenant)).sandboxOf !== undefined,
      claim: (gateway, { id, livemode, webhook }, tenant) =>
        intake.connect(providers[gateway], id, tenant, webhook === undefined ? undefined : { id: webhook, livemode }),
      audit,
      makeEvent,
      newId,
      clock,
      logger,
    }),
  };
};

export type PaymentServices = ReturnType<typeof createServices>;
