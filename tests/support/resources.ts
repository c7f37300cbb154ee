import * as z from 'zod';
import { isoTime } from '#shared/kernel/clock.ts';
import { stripeInvoiceCollection, stripePayoutCollection } from '#shared/payments/index.ts';
import { auditEntryCollection } from '#shared/security/audit/audit-entry.schema.ts';
import { settledAfter, storedFileCollection } from '#shared/security/index.ts';
import { accountCollection } from '#shared/webhooks/index.ts';
import { makeIdentity } from './auth.ts';
import { makeBilling } from './billing-resources.ts';
import type { Operation } from './operations.ts';
import { makePayments } from './payment-resources.ts';
import { request, type TestRuntime } from './runtime.ts';
import { paypalIds, paypalPath, paypalWebhook, twilioIds, twilioPath } from './signatures.ts';
import { makeThreats } from './threats.ts';

/** What a tenant has: by path, the values of its parameters that find something of theirs. */
export type Resources = Readonly<Record<string, Readonly<Record<string, string>>>>;

const idSchema = z.object({ id: z.string() });
const churn = '/api/v1/ai-intelligence/churn-prediction';

/** Stands in a path of which nothing is known here. */
export const nobody = 'nobody';

/** An account at PayPal that sends webhooks: the first tenant's, of those that are made. */
const makePayPalWebhook = async ({ database, clock }: TestRuntime, tenant: string): Promise<void> => {
  const accounts = database.platform(accountCollection);
  const id = `paypal:${paypalIds.account}`;
  if ((await accounts.get(id)) !== undefined) return;
  await accounts.create(id, { tenant, connectedAt: isoTime(clock.now()), webhook: paypalWebhook });
};

/** An account at Stripe, and two of everything that is listed. */
const makeStripe = async (
  { database }: TestRuntime,
  make: (path: string, body: unknown) => Promise<string>,
  tenant: string,
): Promise<Resources> => {
  const path = '/api/v1/stripe';
  const connectedAt = '2026-01-01T00:00:00.000Z';
  await database.platform(accountCollection).create(`stripe:acct_${tenant}`, { tenant, connectedAt });
  const paymentMethod = 'pm_card_visa';
  const customer = await make(`${path}/customers`, { email: `first@${tenant}.example`, paymentMethod });
  const other = await make(`${path}/customers`, { email: `second@${tenant}.example`, paymentMethod });
  const subscribe = () => make(`${path}/subscriptions`, { customer, items: [{ price: 'price_monthly' }] });
  const [subscription, ended] = [await subscribe(), await subscribe()];
  const amount = { amount: 1_000, currency: 'EUR' };
  const payment = await make(`${path}/payment-intents`, { amount, paymentMethod, capture: 'manual' });
  const items = [{ price: 'price_once' }];
  const checkout = { mode: 'payment', items, successUrl: `https://${tenant}.example.com/` };
  const session = await make(`${path}/checkout-sessions`, checkout);
  const money = { amount: 0, currency: 'EUR' };
  const at = { updatedAt: connectedAt, fetchedAt: connectedAt };
  const invoice = { subscription: null, number: null, total: money, due: money, paid: money, lines: [], ...at };
  const kept = { ...invoice, customer, status: 'paid', moreLines: false, paidAt: null, livemode: false } as const;
  const invoices = database.tenants(stripeInvoiceCollection).of(tenant);
  for (const id of [`in_1_${tenant}`, `in_2_${tenant}`]) await invoices.create(id, { ...kept, deleted: false });
  const payout = { amount: money, status: 'paid', method: 'standard', arrivesAt: null, failure: null } as const;
  const payouts = database.tenants(stripePayoutCollection).of(tenant);
  for (const id of [`po_1_${tenant}`, `po_2_${tenant}`]) {
    await payouts.create(id, { ...payout, livemode: false, deleted: false, ...at });
  }
  return {
    [`${path}/invoices/{id}`]: { id: `in_1_${tenant}` },
    [`${path}/payouts/{id}`]: { id: `po_1_${tenant}` },
    [`${path}/customers/{id}`]: { id: other },
    [`${path}/subscriptions/{id}`]: { id: subscription },
    [`${path}/subscriptions/{id}/cancel`]: { id: ended },
    [`${path}/payment-intents/{id}`]: { id: payment },
    [`${path}/payment-intents/{id}/capture`]: { id: payment },
    [`${path}/payment-intents/{id}/cancel`]: { id: payment },
    [`${path}/checkout-sessions/{id}`]: { id: session },
  };
};

type Make = (path: string, body: unknown, method?: string) => Promise<string>;

/**
 * Gives a tenant something to be found by every operation that has a parameter in its path, and enough of it for a
 * second page; or only what the operations of one path look at. An operation that is new here must be told of: without
 * real ids nothing proves that they are kept apart.
 */
export const makeResources = async (
  runtime: TestRuntime,
  operations: readonly Operation[],
  tenant: string,
  only?: string,
): Promise<Resources> => {
  const key = await runtime.key(tenant, ['*']);
  const make: Make = async (path, body, method = 'POST') => {
    const operation = operations.find(({ name }) => name === `${method} ${path}`);
    if (operation === undefined) throw new Error(`There is no ${method} ${path}.`);
    return idSchema.parse(await (await request(operation.app, path, { key, body, method })).json()).id;
  };
  const wants = (...groups: readonly string[]): boolean =>
    only === undefined || groups.some((group) => only.startsWith(`/api/v1/${group}`));
  const part = async (groups: readonly string[], makePart: () => Promise<Resources>): Promise<Resources> =>
    wants(...groups) ? makePart() : {};

  const predictions = await part(['ai-intelligence'], () => makePredictions(make, tenant));
  const stripe = await part(['stripe'], () => makeStripe(runtime, make, tenant));
  const protection = await part(['advanced-security', 'security'], () =>
    makeProtection(runtime, operations, make, key, tenant),
  );
  const identity = await part(['auth', 'mfa', 'tenant'], () => makeIdentity(runtime, tenant));
  const threats = await part(['threat-detection'], () => makeThreats(runtime, tenant));
  const billing = await part(['billing', 'monetization'], () => makeBilling(operations, key, tenant));
  await runtime.bus.idle();
  const tenancy = await part(['tenant'], () => makeTenancy(make, identity, tenant));
  const payments = await part(['payments', 'paypal', 'crypto'], () => makePayments(runtime, operations, key, tenant));
  await makePayPalWebhook(runtime, tenant);
  await runtime.bus.idle();
  const made: Resources = {
    ...predictions,
    ...identity,
    ...threats,
    ...tenancy,
    ...billing,
    ...payments,
    ...protection,
    ...stripe,
    [twilioPath]: twilioIds,
    [paypalPath]: paypalIds,
  };
  const unknown = ({ path }: Operation) =>
    Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, nobody]));
  return Object.fromEntries(
    operations.map((operation) => [operation.path, made[operation.path] ?? unknown(operation)]),
  );
};

const makePredictions = async (make: Make, tenant: string): Promise<Resources> => {
  const predict = () => make(churn, { customerId: `of-${tenant}`, customer: { tenure: 3 } });
  const [prediction] = [await predict(), await predict()];
  return { [`${churn}/{id}`]: { id: prediction }, [`${churn}/rollups/{day}`]: { day: '2026-01-01' } };
};

/** Secrets, keys, a policy and an audit log. */
const makeProtection = async (
  runtime: TestRuntime,
  operations: readonly Operation[],
  make: Make,
  key: string,
  tenant: string,
): Promise<Resources> => {
  const advanced = '/api/v1/advanced-security';
  const post = async (path: string, body?: unknown): Promise<void> => {
    const operation = operations.find(({ name }) => name === `POST ${path.replace('/keys/fields/', '/keys/{name}/')}`);
    if (operation !== undefined)
      await request(operation.app, path, { key, method: 'POST', ...(body === undefined ? {} : { body }) });
  };
  const secret = `secret-of-${tenant}`;
  const longAgo = '2020-01-01T00:00:00.000Z';
  for (const id of [`fil_1_${tenant}`, `fil_2_${tenant}`]) {
    const value = { file: `${id}.csv`, bytes: 1, writableUntil: longAgo, createdAt: longAgo };
    await runtime.database.tenants(storedFileCollection).of(tenant).create(id, value);
  }
  for (const name of [secret, `${secret}-2`]) await post(`${advanced}/secrets`, { name, value: `value of ${tenant}` });
  await post(`${advanced}/keys/fields/rotate`);
  await runtime.blobs.of(tenant).put('files/imports/customers.csv', 'name', { contentType: 'text/csv' });
  // A rotation's older versions can be destroyed a while later.
  runtime.clock.advance(settledAfter);
  const auditPath = '/api/v1/security/audit';
  const own = { redirects: [`https://${tenant}.example.com/`] };
  const policy = operations.find(({ name }) => name === 'PUT /api/v1/security/policy');
  if (policy === undefined) throw new Error('There is no PUT /api/v1/security/policy.');
  const ifMatch = { 'if-match': '"0"' };
  await request(policy.app, policy.path, { key, method: 'PUT', body: own, headers: ifMatch });
  const exported = await make(`${auditPath}/exports`, {});
  await runtime.bus.idle();
  const [entry] = (await runtime.database.tenants(auditEntryCollection).of(tenant).query({ limit: 1 })).items;
  const version = { name: secret, version: '1' };
  return {
    [`${advanced}/files/{id}`]: { id: `fil_1_${tenant}` },
    [`${advanced}/secrets/{name}`]: { name: secret },
    [`${advanced}/secrets/{name}/versions`]: { name: secret },
    [`${advanced}/secrets/{name}/versions/{version}/value`]: version,
    [`${advanced}/secrets/{name}/versions/{version}/state`]: version,
    [`${advanced}/keys/{name}/rotate`]: { name: 'fields' },
    [`${advanced}/key-rotations/{id}`]: { id: 'fields~2' },
    [`${advanced}/key-rotations/{id}/retire`]: { id: 'fields~2' },
    [`${advanced}/subjects/{subject}`]: { subject: `person-of-${tenant}` },
    [`${auditPath}/entries/{id}`]: { id: entry?.id ?? nobody },
    [`${auditPath}/exports/{id}`]: { id: exported },
  };
};

/** What a tenant has by the paths of its administration. */
const makeTenancy = async (make: Make, identity: Resources, tenant: string): Promise<Resources> => {
  const path = '/api/v1/tenant';
  const invite = (nth: number) =>
    make(`${path}/invitations`, { email: `guest-${nth}@${tenant}.example`, roles: ['viewer'] });
  const [invitation] = [await invite(1), await invite(2)];
  const [sandbox] = [
    await make(`${path}/sandboxes`, { name: 'One' }),
    await make(`${path}/sandboxes`, { name: 'Two' }),
  ];
  const claim = (name: string) => make(`${path}/domains`, { domain: `${name}-${tenant}.example.com` });
  const [domain] = [await claim('login'), await claim('help')];
  const word = (locale: string) => {
    const content = { text: `{{ code }} for ${tenant}` };
    return make(`${path}/mail-templates`, { channel: 'sms', template: 'mfa-code', locale, content }, 'PUT');
  };
  const [wording] = [await word(`en-x-${tenant}`), await word(`de-x-${tenant}`)];
  await make(`${path}/page-templates`, { kind: 'sign-in', title: 'Sign in', body: `<p>${tenant}</p>` }, 'PUT');
  const user = identity['/api/v1/auth/users/{id}'] ?? {};
  return {
    [`${path}/page-templates/{id}`]: { id: 'sign-in' },
    [`${path}/pages/{slug}/{kind}`]: { slug: tenant, kind: 'sign-in' },
    [`${path}/slugs/{slug}`]: { slug: tenant },
    [`${path}/members/{id}`]: user,
    [`${path}/members/{id}/roles`]: user,
    [`${path}/invitations/{id}`]: { id: invitation },
    [`${path}/invitations/{id}/resend`]: { id: invitation },
    [`${path}/mail-templates/{id}`]: { id: wording },
    [`${path}/domains/{domain}`]: { domain },
    [`${path}/domains/{domain}/verify`]: { domain },
    [`${path}/sandboxes/{id}`]: { id: sandbox },
    [`${path}/sandboxes/{id}/keys`]: { id: sandbox },
  };
};
