import * as z from 'zod';
import { goodPassword } from './auth.ts';
import { cryptoBodies } from './crypto-resources.ts';
import type { Operation } from './operations.ts';
import { paymentBodies, stripeBodies } from './payment-bodies.ts';
import { request, type TestRequest, type TestRuntime } from './runtime.ts';

/** By operation, what is to be sent instead of a body that is made from the document alone. */
export type Requests = Readonly<Record<string, Pick<TestRequest, 'body' | 'headers'>>>;

const ciphertextSchema = z.object({ ciphertext: z.string() });

/**
 * Requests that mean something to a tenant: those that name something of its own in the body, and those whose fields
 * must fit more than the document can say.
 */
export const makeRequests = async (
  runtime: TestRuntime,
  operations: readonly Operation[],
  tenant: string,
): Promise<Requests> => {
  const advanced = '/api/v1/advanced-security';
  const file = `of-${tenant}.csv`;
  await runtime.blobs.of(tenant).put(`files/${file}`, `name of ${tenant}`, { contentType: 'text/csv' });
  const encrypt = operations.find(({ name }) => name === `POST ${advanced}/values/encrypt`);
  if (encrypt === undefined) throw new Error('There is no operation that encrypts a value.');
  const key = await runtime.key(tenant, ['*']);
  const value = { purpose: 'notes', value: `value of ${tenant}` };
  const { ciphertext } = ciphertextSchema.parse(
    await (await request(encrypt.app, encrypt.path, { key, body: value })).json(),
  );
  const content = { subject: 'Code', text: '{{ code }}', html: '<p>{{ code }}</p>' };
  const wording = { channel: 'email', template: 'mfa-code', locale: 'en', content };
  return {
    ...cryptoBodies,
    ...paymentBodies(tenant),
    ...(await stripeBodies(operations, key)),
    [`POST ${advanced}/values/decrypt`]: { body: { purpose: 'notes', ciphertext } },
    [`POST ${advanced}/scan/file`]: { body: { file } },
    [`POST ${advanced}/signed-urls`]: { body: { action: 'read', file } },
    'POST /api/v1/auth/email/change': { body: { email: `new@${tenant}.example` } },
    'POST /api/v1/auth/password/change': { body: { password: `${goodPassword} anew` } },
    'PUT /api/v1/auth/settings': { body: { appUrl: `https://${tenant}.example` } },
    'PUT /api/v1/auth/users/{id}/roles': { body: { roles: ['viewer'] } },
    'PATCH /api/v1/tenant': { body: { settings: { timeZone: 'Europe/Berlin' } } },
    'POST /api/v1/tenant/domains': { body: { domain: `app.${tenant}-shop.com` } },
    'POST /api/v1/tenant/invitations': { body: { email: `guest@${tenant}.example`, roles: ['viewer'] } },
    'POST /api/v1/tenant/mail-templates/preview': { body: { ...wording, data: { code: '123456', minutes: 10 } } },
    'PUT /api/v1/tenant/mail-templates': { body: wording },
    'PUT /api/v1/tenant/branding': { body: { colour: '#1a56db', footer: `Footer of ${tenant}` } },
    'PUT /api/v1/tenant/members/{id}/roles': { body: { roles: ['viewer'] } },
    'PUT /api/v1/threat-detection/rules': { body: { rules: [] }, headers: { 'if-match': '"0"' } },
    'POST /api/v1/security/audit/exports': { body: {} },
    'PUT /api/v1/security/policy': {
      body: { redirects: [`https://${tenant}.example.com/`] },
      headers: { 'if-match': '"1"' },
    },
  };
};
