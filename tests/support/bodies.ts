import * as z from 'zod';
import { goodPassword } from './auth.ts';
import type { Operation } from './operations.ts';
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
  return {
    [`POST ${advanced}/values/decrypt`]: { body: { purpose: 'notes', ciphertext } },
    [`POST ${advanced}/scan/file`]: { body: { file } },
    [`POST ${advanced}/signed-urls`]: { body: { action: 'read', file } },
    'POST /api/v1/auth/email/change': { body: { email: `new@${tenant}.example` } },
    'POST /api/v1/auth/password/change': { body: { password: `${goodPassword} anew` } },
    'PUT /api/v1/auth/settings': { body: { appUrl: `https://${tenant}.example` } },
    'PUT /api/v1/auth/users/{id}/roles': { body: { roles: ['viewer'] } },
    'POST /api/v1/security/audit/exports': { body: {} },
    'PUT /api/v1/security/policy': {
      body: { redirects: [`https://${tenant}.example.com/`] },
      headers: { 'if-match': '"1"' },
    },
  };
};
