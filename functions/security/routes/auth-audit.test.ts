import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { auditEntryViewSchema } from '#shared/security/index.ts';
import { appCode, mfaWorld, otherCode } from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { app, mfa, withTotp, challenged, answer } = world;
beforeAll(() => world.tenant('acme'));

const pageOf = z.object({ items: z.array(auditEntryViewSchema) });
/** What the log has under a filter, of those that failed. */
const failures = async (filter: string) => {
  await runtime.bus.idle();
  const key = await runtime.key('acme', ['security:read']);
  const response = await request(app, `/api/v1/security/audit?limit=200&${filter}`, { key });
  return pageOf.parse(await response.json()).items.filter(({ outcome }) => outcome === 'failure');
};
const wrongCode = (secret: string) => ({
  method: 'totp',
  code: otherCode(appCode(secret, runtime.clock.now())),
});
const userAgent = 'Mozilla/5.0 (of a stranger)';
const unknown = { kind: 'anonymous', id: 'unknown' };

describe('a failed sign-in in the audit log', () => {
  it('is of an unknown caller against the user, never the deed of the user', async () => {
    const { user, email } = await withTotp('acme');
    const body = { tenant: 'acme', email, password: 'not-the-password' };
    const headers = { 'user-agent': userAgent };
    expect((await request(app, '/api/v1/auth/sign-in', { body, headers })).status).toBe(401);
    const [entry, ...more] = await failures(`target=${user}`);
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      action: 'security.sign-in.failed',
      actor: unknown,
      target: { type: 'sign-in', id: user },
      data: {},
      personal: { user, reason: 'wrong-credential', device: { userAgent } },
    });
    expect(await failures(`actor=${user}`)).toEqual([]);
    expect((await failures('actor=unknown')).map(({ id }) => id)).toContain(entry?.id);
  });

  it('is so too where the password was right and the second factor was not', async () => {
    const { user, email, secret } = await withTotp('acme');
    const { challenge } = await challenged('acme', email);
    expect((await answer(challenge, wrongCode(secret))).status).toBe(401);
    expect(await failures(`target=${user}`)).toMatchObject([
      { action: 'security.second-factor.failed', actor: unknown, personal: { purpose: 'sign-in' } },
    ]);
    expect(await failures(`actor=${user}`)).toEqual([]);
  });

  it('is told from a wrong code in a session, which is the deed of who is signed in', async () => {
    const { user, key, secret } = await withTotp('acme');
    const begun = z.object({ challenge: z.string() }).parse(await (await mfa('/step-up', undefined, key)).json());
    const { challenge } = begun;
    const refused = await mfa('/step-up/verify', { challenge, proof: wrongCode(secret) }, key);
    expect(refused.status).toBe(400);
    expect(await failures(`actor=${user}`)).toMatchObject([
      { action: 'security.second-factor.failed', actor: { kind: 'user', id: user }, personal: { purpose: 'step-up' } },
    ]);
  });
});
