import { createServices } from '#functions/payments/services.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import {
  accountCollection,
  closedAccountCollection,
  createIntakeService,
  intakeCollection,
} from '#shared/webhooks/index.ts';
import { connectDemo } from './acmepay.ts';

export const demoTenant = 'demo';

/** So high that nobody who tries things out meets it; what the limiter does at it is tested elsewhere. */
const requestsPerMinute = 100_000;

/** A tenant to try things with, the accounts whose webhooks are its, and a new key that may do everything in it. */
export const makeDemo = async (runtime: Runtime): Promise<{ readonly apiKey: string }> => {
  const { tenants, apiKeys, database, bus, makeEvent, clock } = runtime;
  await tenants.ensure(demoTenant, { name: 'Demo', settings: { requestsPerMinute } });
  const intake = createIntakeService({
    database,
    intake: database.platform(intakeCollection),
    bus,
    accounts: database.platform(accountCollection),
    closedAccounts: database.platform(closedAccountCollection),
    tenants,
    makeEvent,
    clock,
  });
  const [key] = await Promise.all([
    apiKeys.issue({ tenant: demoTenant, name: 'npm start', scopes: ['*'], requestsPerMinute }),
    intake.connect('stripe', 'platform', demoTenant),
    intake.connect('shopify', 'demo-shop.myshopify.com', demoTenant),
    connectDemo(createServices(runtime), demoTenant),
  ]);
  return { apiKey: key.text };
};

/** Ready to be pasted into a shell. */
export const firstRequest = (baseUrl: string, apiKey: string): string =>
  `curl -s ${baseUrl}/api/v1/ai-intelligence/churn-prediction \\
  -H 'authorization: Bearer ${apiKey}' \\
  -H 'content-type: application/json' \\
  -d '{"customerId":"c-1","customer":{"tenure":2,"contract":"Month-to-month","internetService":"Fiber optic","monthlyCharges":89.5}}'`;
