import { systemActor } from '#shared/kernel/actor.ts';
import { isOmniError } from '#shared/kernel/errors.ts';
import { startAcmePaySandbox } from '#shared/payments/acmepay-sandbox/acmepay-sandbox.ts';
import type { Payments } from '#shared/payments/index.ts';

/** Known, so that an account that was connected on an emulator before fits the sandbox of today. */
const demoKey = 'ak_test_of_the_demo';

/** AcmePay's sandbox, which sends its webhooks to Omni, with the demo's account. */
export const startAcmePay = async (webhookUrl: string, secret: string) => {
  const sandbox = await startAcmePaySandbox({ every: 1_000 });
  sandbox.open({ id: 'acct_demo', secretKey: demoKey });
  sandbox.webhooks.connect({ url: webhookUrl, secret });
  return sandbox;
};

/** Gives the demo tenant its account at the sandbox. */
export const connectDemo = async (
  { gatewayAccounts }: Pick<Payments, 'gatewayAccounts'>,
  tenant: string,
): Promise<void> => {
  try {
    await gatewayAccounts.connect(systemActor(tenant, 'npm start'), {
      gateway: 'acmepay',
      mode: 'test',
      credentials: { secretKey: demoKey },
      enabled: true,
      cost: { basisPoints: 140, fixed: 25 },
      countries: [],
    });
  } catch (error) {
    if (!isOmniError(error, 'already-exists')) throw error;
  }
};
