import { OmniError } from '#shared/kernel/errors.ts';
import {
  acmePay,
  createPayments,
  createSubscriptionService,
  type OpenGateway,
  subscriptionCollection,
} from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasers.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { createAuditing, subjectCipher } from '#shared/security/index.ts';
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

/** Every gateway that there is an adapter of. */
const gatewayOpener =
  ({ config, clock }: Pick<Runtime, 'config' | 'clock'>): OpenGateway =>
  async (name, { credentials, livemode }) => {
    const baseUrl = config.acmepayUrl;
    if (name === 'acmepay' && baseUrl !== undefined) {
      return acmePay({ baseUrl, secretKey: needed(credentials, 'secretKey'), livemode, clock });
    }
    throw new OmniError('precondition-failed', `The gateway ${name} is not available here.`);
  };

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
  return {
    erasing: erasingOf(runtime),
    subscriptions,
    subscriptionService: createSubscriptionService(subscriptions),
    ...createPayments({
      database,
      openGateway: gatewayOpener(runtime),
      isSandbox: async (tenant) => (await tenants.get(tenant)).sandboxOf !== undefined,
      claim: async (gateway, account, tenant) => {
        if (gateway === 'stripe' || gateway === 'acmepay') await intake.connect(gateway, account, tenant);
      },
      audit,
      makeEvent,
      newId,
      clock,
      logger,
    }),
  };
};

export type PaymentServices = ReturnType<typeof createServices>;
