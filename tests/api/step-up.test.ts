import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { permissions } from '#shared/security/access/permissions.ts';
import { pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhookEnvironment } from '#tests/support/signatures.ts';

const runtime = await testRuntime({ environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = await startOperations(runtime);
const services = createServices(runtime);

/** A live access token of an owner who has to prove once more who they are. */
const tokenOfLongAgo = async (): Promise<string> => {
  await runtime.tenants.ensure('acme', { name: 'acme' });
  const email = 'owner@example.com';
  await services.users.create('acme', { email, emailVerified: true, roles: ['owner'] });
  const user = await services.users.findByEmail('acme', email);
  if (user === undefined) throw new Error('The user is not there.');
  const { accessToken, session } = await services.sessions.open('acme', user, { methods: ['pwd'], device: {} });
  await services.stepUp.require('acme', session);
  return accessToken;
};
const longProven = await tokenOfLongAgo();

/** What gives access away, takes it from somebody, leads money or mail elsewhere, or can't be undone. */
const sensitivePermissions = [
  'auth-settings:write',
  'encryption:destroy',
  'keys:write',
  'members:write',
  'mfa:reset',
  'payments:manage',
  'roles:write',
  'secrets:reveal',
  'secrets:write',
  'security:write',
  'service-accounts:write',
  'tenant:own',
  'tenant:write',
  'threats:write',
  'users:write',
];

/** What is so beside others with its permission that are not. */
const sensitiveOperations = [
  // The account that invoices ask to be paid to.
  'PUT /api/v1/billing/settings',
];

/** Writes with such a permission that ask for no fresh proof, and why. */
const reasons: Readonly<Record<string, string>> = {
  'POST /api/v1/tenant/invitations/{id}/resend': 'Goes to the address and gives the roles that were chosen with proof.',
  'DELETE /api/v1/tenant/invitations/{id}': 'Nobody has the access yet, and a new invitation makes up for it.',
  'POST /api/v1/advanced-security/secrets': 'Adds; nothing that was there is read, changed or lost.',
  'POST /api/v1/advanced-security/secrets/{name}/versions': 'Adds; the versions before stay as they are.',
  'PUT /api/v1/tenant/slug': 'The slug before leads to the tenant as well, and to nobody else.',
  'POST /api/v1/tenant/sandboxes': 'Adds; nobody gets into it without a key, which asks.',
  'POST /api/v1/tenant/domains/{domain}/verify': 'A timer does the same. What is claimed was claimed with proof.',
  'POST /api/v1/tenant/mail-templates/preview': 'Changes nothing.',
  'POST /api/v1/tenant/page-templates/preview': 'Changes nothing.',
  'DELETE /api/v1/tenant/mail-templates/{id}': 'Back to a wording of ours, which leads nowhere else.',
  'DELETE /api/v1/tenant/page-templates/{id}': 'Back to a page of ours, which leads nowhere else.',
};

const writes = operations.filter(
  ({ name, method, scopes = [] }) =>
    sensitiveOperations.includes(name) ||
    (method !== 'GET' && scopes.some((scope) => sensitivePermissions.includes(scope))),
);

it('knows each permission that it calls sensitive, and each operation that it excuses', () => {
  expect(sensitivePermissions.filter((scope) => permissions[scope] === undefined)).toEqual([]);
  const names = writes.map(({ name }) => name);
  expect([...sensitiveOperations, ...Object.keys(reasons)].filter((name) => !names.includes(name))).toEqual([]);
});

describe.each(writes.filter(({ name }) => reasons[name] === undefined).map((one) => [one.name, one] as const))(
  '%s',
  (_name, operation) => {
    it('wants a person to have proved who they are lately', async () => {
      const { app, method, path, parameters } = operation;
      const ids = Object.fromEntries(parameters.map(({ name }) => [name, 'x']));
      const response = await request(app, pathWith(path, ids), { method, key: longProven, body: {} });
      expect(problemSchema.parse(await response.json()).code).toBe('step-up-required');
      expect(response.headers.get('www-authenticate')).toContain('max_age="900"');
      expect(operation.codes).toContain('step-up-required');
    });
  },
);
