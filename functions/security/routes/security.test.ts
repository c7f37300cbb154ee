import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { isoTime, systemClock } from '#shared/kernel/clock.ts';
import { platformTenant } from '#shared/kernel/event.ts';
import {
  auditEntryViewSchema,
  auditExportViewSchema,
  auditVerificationSchema,
  securityPolicyViewSchema,
  signInSucceeded,
} from '#shared/security/index.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { security } from '../app.ts';
import { createServices } from '../services.ts';

const runtime = await testRuntime({ environment: { OMNI_TRUSTED_HOPS: '1' } });
const app = runtime.start(security, createServices);
const services = createServices(runtime);

const audit = '/api/v1/security/audit';
const policy = '/api/v1/security/policy';
const office = { 'x-forwarded-for': '192.0.2.7, 34.1.1.1' };
const home = { 'x-forwarded-for': '203.0.113.5, 34.1.1.1' };

const send = (path: string, options: TestRequest = {}) =>
  request(app, path, { ...options, headers: { ...office, ...options.headers } });
const read = async <T>(schema: z.ZodType<T>, response: Promise<Response>): Promise<T> =>
  schema.parse(await (await response).json());
const codeOf = async (response: Promise<Response>) => (await read(problemSchema, response)).code;
const entries = async (key: string, search = '') =>
  (await read(z.object({ items: z.array(auditEntryViewSchema) }), send(`${audit}${search}`, { key }))).items;
const put = (key: string, body: unknown, revision: number, search = '') =>
  send(`${policy}${search}`, { key, method: 'PUT', body, headers: { 'if-match': `"${revision}"` } });

const tick = async (name: string) => {
  runtime.bus.publishRaw({ schedule: name }, { type: `schedule.${name}` });
  await runtime.bus.idle();
};
const allowOffice = { ipAllowList: [{ range: '192.0.2.0/24' }] };

describe('the security policy', () => {
  it('is safe before anybody has set it', async () => {
    const key = await runtime.key('fresh', ['security:*']);
    const { policy: defaults, revision } = await read(securityPolicyViewSchema, send(policy, { key }));
    expect(revision).toBe(0);
    expect(defaults).toMatchObject({
      passwords: { minLength: 10, minScore: 3 },
      lockout: { failures: 10, windowMinutes: 15, failuresPerAddressAndDay: 100 },
      sessions: { idleMinutes: 720, absoluteHours: 720 },
      ipAllowList: [],
      redirects: [],
    });
  });

  it('is changed on the revision that was read, and the change is in the log', async () => {
    const key = await runtime.key('changing', ['security:*']);
    const changed = await read(securityPolicyViewSchema, put(key, { mfa: { required: 'everybody' } }, 0));
    expect(changed).toMatchObject({ revision: 1, policy: { mfa: { required: 'everybody', graceDays: 7 } } });
    expect(await codeOf(put(key, {}, 0))).toBe('precondition-failed');
    expect(await codeOf(send(policy, { key, method: 'PUT', body: {} }))).toBe('invalid-request');
    const [entry] = await entries(key);
    expect(entry).toMatchObject({
      action: 'security.policy.updated',
      actor: { kind: 'key' },
      data: { revision: 1, changed: ['mfa'], forced: false },
      personal: { ip: '192.0.2.7', before: { mfa: { required: 'nobody' } }, after: { mfa: { required: 'everybody' } } },
    });
  });

  it('has one winner of twenty who change it at once', async () => {
    const key = await runtime.key('racing', ['security:*']);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => put(key, { lockout: { failures: i + 3 } }, 0)));
    expect(all.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
    expect(all.filter(({ status }) => status === 412)).toHaveLength(19);
    expect(await entries(key)).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ['a range that is none', { ipAllowList: [{ range: '10.0.0.0/33' }] }],
    ['a redirect without TLS', { redirects: ['http://evil.example/'] }],
    ['a redirect with credentials', { redirects: ['https://user@app.example.com/'] }],
    ['a redirect to a script', { redirects: ['javascript:alert(1)'] }],
    ['a wildcard', { redirects: ['https://*.example.com/'] }],
    ['an unknown field', { mfaRequired: true }],
    ['no way to sign in', { signInMethods: [] }],
    ['passwords of four characters', { passwords: { minLength: 4 } }],
  ])('refuses %s', async (_name, body) => {
    const key = await runtime.key('refusing', ['security:*']);
    expect(await codeOf(put(key, body, 0))).toBe('invalid-request');
  });
});

describe('an allow-list', () => {
  it('shuts nobody out who makes it, unless they insist', async () => {
    const key = await runtime.key('careful', ['security:*']);
    const elsewhere = { ipAllowList: [{ range: '198.51.100.0/24' }] };
    const refusal = await read(problemSchema, put(key, elsewhere, 0));
    expect(refusal).toMatchObject({ code: 'invalid-request', errors: [{ path: 'body.ipAllowList' }] });
    expect((await put(key, elsewhere, 0, '?force=true')).status).toBe(200);
  });

  it('lets in who calls from it, refuses who does not, and tells the log once a minute', async () => {
    const key = await runtime.key('guarded', ['security:*']);
    expect((await put(key, allowOffice, 0)).status).toBe(200);
    runtime.clock.advance(30_000);
    expect((await send(policy, { key })).status).toBe(200);
    for (const headers of [
      home,
      { 'x-forwarded-for': '192.0.2.7, 203.0.113.5, 34.1.1.1' },
      { 'x-forwarded-for': '192.0.2.7' },
      { 'x-forwarded-for': '::ffff:203.0.113.5, 34.1.1.1' },
      { 'x-forwarded-for': 'nonsense, 34.1.1.1' },
      { 'x-forwarded-for': '203.0.113.5, 34.1.1.1', 'x-real-ip': '192.0.2.7', forwarded: 'for=192.0.2.7' },
    ]) {
      expect(await codeOf(send(policy, { key, headers }))).toBe('forbidden');
    }
    await runtime.bus.idle();
    const refused = await entries(key, '?action=security.address.refused');
    expect(refused.map(({ personal, outcome }) => [personal?.ip, outcome])).toEqual(
      expect.arrayContaining([
        ['203.0.113.5', 'denied'],
        [undefined, 'denied'],
      ]),
    );
    expect(refused).toHaveLength(2);
    runtime.clock.advance(60_000);
    expect(await codeOf(send(policy, { key, headers: home }))).toBe('forbidden');
    await runtime.bus.idle();
    expect(await entries(key, '?action=security.address.refused')).toHaveLength(3);
  });

  it('holds on other instances within 30 seconds, and costs a warm request no read', async () => {
    const key = await runtime.key('warm', ['security:*']);
    expect((await send(policy, { key, headers: home })).status).toBe(200);
    await put(key, allowOffice, 0);
    runtime.clock.advance(29_999);
    expect((await send(policy, { key, headers: home })).status).toBe(200);
    runtime.clock.advance(1);
    expect(await codeOf(send(policy, { key, headers: home }))).toBe('forbidden');
    const { admission } = runtime.http;
    const principal = { actor: { tenant: 'warm', kind: 'key', id: 'k', scopes: new Set<string>() } } as const;
    const limits = { limits: { tenant: 1, key: 1 }, corsOrigins: [] };
    expect(admission?.admits({ ...principal, ...limits }, '192.0.2.9')).toBe(true);
  });
});

describe('the audit log', () => {
  it('takes every security event once, however often it comes', async () => {
    const key = await runtime.key('events', ['security:*']);
    const event = runtime.makeEvent(signInSucceeded, {
      tenant: 'events',
      subject: 'usr_1',
      data: { user: 'usr_1', session: 'ses_1', methods: ['pwd'], device: { ip: '192.0.2.9' } },
    });
    await runtime.bus.publish([event, event]);
    await runtime.bus.publish([event]);
    await runtime.bus.idle();
    expect(await entries(key)).toMatchObject([
      {
        at: event.time,
        action: 'security.sign-in.succeeded',
        actor: { kind: 'user', id: 'usr_1' },
        target: { type: 'sign-in', id: 'usr_1' },
        outcome: 'success',
        data: {},
        personal: { session: 'ses_1', device: { ip: '192.0.2.9' } },
      },
    ]);
    const [entry] = await entries(key, '?actor=usr_1&action=security.sign-in.succeeded&target=usr_1');
    expect(await read(auditEntryViewSchema, send(`${audit}/entries/${entry?.id}`, { key }))).toEqual(entry);
  });

  it('calls a key and a service account what they are, though events tell of what they did', async () => {
    const tenant = 'by-machines';
    const key = await runtime.key(tenant, ['*']);
    const user = await services.users.create(tenant, { email: 'a@x.example', emailVerified: true, roles: ['member'] });
    const account = await services.serviceAccounts.create(systemActor(tenant, 'test'), { name: 'ci', scopes: ['*'] });
    const { accessToken: robot } = await services.serviceAccounts.token(account);
    const disable = { method: 'PUT', body: { status: 'disabled' } };
    const block = { body: { target: 'network', network: '203.0.113.0/24', reason: 'Noise' } };
    const roles = { method: 'PUT', body: { roles: ['viewer'] } };
    expect((await send(`/api/v1/auth/users/${user.id}/status`, { key, ...disable })).status).toBe(200);
    expect((await send('/api/v1/threat-detection/blocks', { key, ...block })).status).toBe(201);
    expect((await send(`/api/v1/auth/users/${user.id}/roles`, { key: robot, ...roles })).status).toBe(200);
    await runtime.bus.idle();
    const who = async (action: string) => (await entries(key, `?action=security.${action}`)).map(({ actor }) => actor);
    const prefix = key.split('_')[1];
    expect(await who('user.status-changed')).toEqual([{ kind: 'key', id: prefix }]);
    expect(await who('threat.block-changed')).toEqual([{ kind: 'key', id: prefix }]);
    expect(await who('user.roles-changed')).toEqual([{ kind: 'key', id: account.id }]);
  });

  it('is sealed by the timer, verified, and kept for the day in a blob that is not written again', async () => {
    const key = await runtime.key('sealed', ['security:*']);
    await put(key, { residency: 'eu' }, 0);
    expect(await read(auditVerificationSchema, send(`${audit}/verify`, { key }))).toMatchObject({
      intact: true,
      unsealed: 1,
      head: { sequence: 0 },
    });
    await tick('audit-seal');
    const verified = await read(auditVerificationSchema, send(`${audit}/verify`, { key }));
    expect(verified).toMatchObject({ intact: true, unsealed: 0, to: 1, entries: 1, next: null });
    await tick('audit-root');
    const roots = await services.auditRoots.all('sealed');
    const yesterday = isoTime(systemClock.now() - 86_400_000).slice(0, 10);
    expect(roots).toMatchObject([{ tenant: 'sealed', day: yesterday, sequence: 1, tree: verified.tree }]);
    expect(await read(auditVerificationSchema, send(`${audit}/verify`, { key }))).toMatchObject({ roots: 1 });
    expect((await send(`${audit}/verify?after=2`, { key })).status).toBe(400);
  });

  it('seals what the platform itself did, too', async () => {
    const event = runtime.makeEvent(signInSucceeded, {
      tenant: platformTenant,
      subject: 'x',
      data: { user: 'x', session: 's', methods: ['pwd'], device: {} },
    });
    await runtime.bus.publish([event]);
    await runtime.bus.idle();
    runtime.clock.advance(300_000);
    await services.sealer.seal(platformTenant, 1);
    expect(await services.sealer.isPending(platformTenant)).toBe(false);
  });

  it('is exported in the background, and only once for an idempotency key', async () => {
    const key = await runtime.key('exporting', ['security:*']);
    await put(key, { residency: 'us' }, 0);
    await services.sealer.seal('exporting', 1);
    const ask = () => send(`${audit}/exports`, { key, body: {}, headers: { 'idempotency-key': 'the-same' } });
    const first = await read(auditExportViewSchema, ask());
    expect(first).toMatchObject({ status: 'running', entries: 1, exported: 0, parts: [] });
    expect((await read(auditExportViewSchema, ask())).id).toBe(first.id);
    await runtime.bus.idle();
    const done = await read(auditExportViewSchema, send(`${audit}/exports/${first.id}`, { key }));
    expect(done).toMatchObject({ status: 'done', entries: 1, exported: 1, unsealed: 1, parts: [{ from: 0, to: 1 }] });
    expect(done.parts[0]?.url).toContain('part-00001');
    expect(await entries(key, '?action=audit.export.requested')).toHaveLength(1);
  });

  it('shows a tenant nothing of another', async () => {
    const key = await runtime.key('curious', ['security:*']);
    expect(await entries(key)).toEqual([]);
    expect(await codeOf(send(`${audit}/entries/aud_1`, { key }))).toBe('not-found');
  });
});
