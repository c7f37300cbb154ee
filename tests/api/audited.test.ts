import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { auditEntryCollection, permissions } from '#shared/security/index.ts';
import { accessToken } from '#tests/support/auth.ts';
import { billingRequests } from '#tests/support/billing-resources.ts';
import { makeRequests, type Requests } from '#tests/support/bodies.ts';
import { valid } from '#tests/support/json-schema.ts';
import { type Operation, parametersIn, pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { makeResources } from '#tests/support/resources.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhookEnvironment } from '#tests/support/signatures.ts';

const runtime = await testRuntime({ environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = await startOperations(runtime);

/**
 * A write is administrative where neither members nor viewers have its scope: who has it works on the tenant itself, not
 * with it.
 */
const isAdministrative = ({ method, scopes = [] }: Operation): boolean =>
  method !== 'GET' &&
  scopes.length > 0 &&
  scopes.every((scope) => {
    const roles = permissions[scope]?.roles ?? [];
    return !roles.includes('member') && !roles.includes('viewer');
  });

/** The business of a tenant with its own customers has books of its own: their history is kept there. */
const dataPlane: Readonly<Record<string, string>> = {
  'payments:write': 'payments keep every change of their state, and end in the ledger, which only grows',
  'payments:refund': 'as payments',
  'billing:write': 'subscriptions and invoices keep their history; an invoice that is final never changes',
  'monetization:write': 'assignments and conversions come with every visitor',
};

/** A hash stands for whom it is about, so that the entry can be kept when they are erased. */
const unnamed = new Set(['DELETE /api/v1/advanced-security/subjects/{subject}']);

/** What changes nothing, although it is a POST, or changes what it does elsewhere. */
const notHere = new Set([
  // What it finds is recorded when it changes the domain's state: tenant-domains.test.ts.
  'POST /api/v1/tenant/domains/{domain}/verify',
  // Only a sandbox has one: billing.test.ts.
  'POST /api/v1/billing/test-clock',
  // Both modes of the gateway that can be had here are connected by the set-up: payments.test.ts.
  'POST /api/v1/payments/gateway-accounts',
  'POST /api/v1/threat-detection/rules/try',
  'POST /api/v1/tenant/mail-templates/preview',
  'POST /api/v1/tenant/page-templates/preview',
  'POST /api/v1/payments/ledger/reconciliations',
]);

const subjectSchema = z.object({ sub: z.string() });
const subjectOf = (token: string): string =>
  subjectSchema.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())).sub;

/** What one person did. */
const deedsOf = async (tenant: string, actor: string) => {
  const { items } = await runtime.database
    .tenants(auditEntryCollection)
    .of(tenant)
    .query({
      where: [{ field: 'actor.id', op: '==', value: actor }],
      orderBy: { field: 'at', order: 'desc' },
      limit: 100,
    });
  return items;
};

const resources = await makeResources(runtime, operations, 'acme');
const member = resources['/api/v1/auth/users/{id}']?.id ?? '';
await runtime.key('suspended', ['*']);
await runtime.key('deleted', ['*']);
const other = resources['/api/v1/threat-detection/users/{id}/risk']?.id ?? '';
/** These leave no tenant to do anything else in. */
const closing: Readonly<Record<string, string>> = {
  '/api/v1/tenant/suspension': 'suspended',
  '/api/v1/tenant/deletion': 'deleted',
};
const requests: Requests = {
  ...(await makeRequests(runtime, operations, 'acme')),
  ...billingRequests(resources, 'acme'),
  'PATCH /api/v1/billing/products/{id}': { body: { name: 'Another name' } },
  'PUT /api/v1/threat-detection/rules': { body: { rules: [] }, headers: { 'if-match': '"1"' } },
  'POST /api/v1/threat-detection/blocks': { body: { target: 'network', network: '203.0.113.0/24', reason: 'Test' } },
  'POST /api/v1/tenant/ownership-transfer': { body: { to: member } },
  'POST /api/v1/mfa/resets': { body: { user: other, reason: 'Lost the phone' } },
  'POST /api/v1/tenant/suspension': { body: { confirm: 'suspended', reason: 'Holidays' } },
  'POST /api/v1/tenant/deletion': { body: { confirm: 'deleted' } },
};

const administrative = operations.filter(
  (operation) =>
    isAdministrative(operation) &&
    !notHere.has(operation.name) &&
    !operation.scopes?.some((scope) => scope in dataPlane),
);

/** What takes something away comes last. */
const inOrder = [...administrative].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));

it.each(inOrder.map((operation) => [operation.name, operation] as const))(
  'has who did what to what of %s',
  async (name, operation) => {
    const { app, method, path, body, schemas } = operation;
    const tenant = closing[path] ?? 'acme';
    // A person for each; that they signed in is in the log as well.
    const token = await accessToken(runtime, tenant);
    const actor = subjectOf(token);
    await runtime.bus.idle();
    const before = new Set((await deedsOf(tenant, actor)).map(({ id }) => id));
    const sent =
      body === undefined || body === 'raw' ? {} : { body: fc.sample(valid(body, schemas), { numRuns: 1, seed: 1 })[0] };
    const response = await request(app, pathWith(path, resources[path] ?? {}), {
      method,
      ...sent,
      ...requests[name],
      key: token,
    });
    // Where this fails, the operation was not done: its body or its ids are to be told of in tests/support.
    expect([response.status, response.status < 300 ? '' : await response.text()]).toEqual([response.status, '']);
    await runtime.bus.idle();
    const deeds = (await deedsOf(tenant, actor)).filter(({ id }) => !before.has(id)).map(({ value }) => value);
    const own = deeds.filter(({ outcome }) => outcome === 'success');
    expect(own.length).toBeGreaterThan(0);
    if (unnamed.has(name)) return;
    const named = own.map(({ target, data }) => `${JSON.stringify(target.id)} ${data}`);
    for (const parameter of parametersIn(operation, 'path')) {
      const id = resources[path]?.[parameter.name] ?? '';
      expect(named.filter((text) => text.includes(id))).not.toEqual([]);
    }
  },
);
