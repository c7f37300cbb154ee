import * as z from 'zod';
import { subscriptionCollection } from '#shared/payments/index.ts';
import { auditEntryCollection } from '#shared/security/audit/audit-entry.schema.ts';
import { settledAfter } from '#shared/security/index.ts';
import { makeIdentity } from './auth.ts';
import type { Operation } from './operations.ts';
import { request, type TestRuntime } from './runtime.ts';
import { twilioIds, twilioPath } from './signatures.ts';

/** What a tenant has: by path, the values of its parameters that find something of theirs. */
export type Resources = Readonly<Record<string, Readonly<Record<string, string>>>>;

const idSchema = z.object({ id: z.string() });
const churn = '/api/v1/ai-intelligence/churn-prediction';

/** Stands in a path of which nothing is known here. */
export const nobody = 'nobody';

/**
 * Gives a tenant something to be found by every operation that has a parameter in its path, and enough of it for a
 * second page. An operation that is new here must be told of: without real ids nothing proves that they are kept apart.
 */
export const makeResources = async (
  runtime: TestRuntime,
  operations: readonly Operation[],
  tenant: string,
): Promise<Resources> => {
  const key = await runtime.key(tenant, ['*']);
  const make = async (path: string, body: unknown): Promise<string> => {
    const operation = operations.find(({ name }) => name === `POST ${path}`);
    if (operation === undefined) throw new Error(`There is no POST ${path}.`);
    return idSchema.parse(await (await request(operation.app, path, { key, body })).json()).id;
  };
  const predict = () => make(churn, { customerId: `of-${tenant}`, customer: { tenure: 3 } });
  const subscribe = async (id: string): Promise<string> => {
    await runtime.database
      .tenants(subscriptionCollection)
      .of(tenant)
      .create(id, {
        customer: `cus_of-${tenant}`,
        status: 'active',
        items: [],
        cancelAtPeriodEnd: false,
        livemode: true,
        currentPeriodEnd: null,
        deleted: false,
        updatedAt: '2026-01-01T00:00:00.000Z',
        fetchedAt: '2026-01-01T00:00:00.000Z',
      });
    return id;
  };

  const [prediction] = [await predict(), await predict()];
  const [subscription = ''] = [await subscribe(`sub_1_${tenant}`), await subscribe(`sub_2_${tenant}`)];
  const advanced = '/api/v1/advanced-security';
  const post = async (path: string, body?: unknown): Promise<void> => {
    const operation = operations.find(({ name }) => name === `POST ${path.replace('/keys/fields/', '/keys/{name}/')}`);
    if (operation !== undefined)
      await request(operation.app, path, { key, method: 'POST', ...(body === undefined ? {} : { body }) });
  };
  const secret = `secret-of-${tenant}`;
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
  const identity = await makeIdentity(runtime, tenant);
  const version = { name: secret, version: '1' };
  const made: Resources = {
    ...identity,
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
    [`${churn}/{id}`]: { id: prediction },
    [`${churn}/rollups/{day}`]: { day: '2026-01-01' },
    '/api/v1/stripe/subscriptions/{id}': { id: subscription },
    [twilioPath]: twilioIds,
  };
  const unknown = ({ path }: Operation) =>
    Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, nobody]));
  return Object.fromEntries(
    operations.map((operation) => [operation.path, made[operation.path] ?? unknown(operation)]),
  );
};
