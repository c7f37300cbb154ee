import { describe, expect, it } from 'vitest';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { loadFunctions } from '#scripts/lib/functions.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { tenantCollection, tenantViewSchema } from '#shared/platform/index.ts';
import {
  auditEntryCollection,
  riskProfileCollection,
  signInResultSchema,
  signInSucceeded,
  userCollection,
} from '#shared/security/index.ts';
import { authWorld, goodPassword } from '#tests/support/auth.ts';
import { internalToken, request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { tick } from '#tests/support/ticks.ts';

const runtime = await testRuntime();
const world = authWorld(runtime);
// Every domain has a part in an erasure.
for (const one of await loadFunctions()) runtime.start(one.definition, one.createServices);
const app = runtime.start(platform, createServices);
const base = '/api/v1/tenant';
const day = 86_400_000;

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, options);
const statusOf = async (response: Promise<Response>) => (await response).status;
const codeOf = async (response: Promise<Response>): Promise<unknown> => {
  const body: unknown = await (await response).json();
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};
const details = async (response: Promise<Response>) => tenantViewSchema.parse(await (await response).json());
const passTime = () => tick(runtime, app, { schedule: 'tenant-lifecycle', job: 'platform.start-lifecycle' });

const create = (slug: string, more: Readonly<Record<string, unknown>> = {}) =>
  send('/tenants', { body: { slug, name: `The ${slug}`, email: `owner@${slug}.example`, ...more } });

/** A tenant whose first owner has opened the account. */
const opened = async (slug: string) => {
  const made = await details(create(slug, { password: goodPassword, ownerName: 'Ada' }));
  const token = await world.tokenTo(`owner@${slug}.example`);
  const response = await world.post('/email/verify', { token, password: goodPassword });
  const result = signInResultSchema.parse(await response.json());
  if (result.status !== 'complete') throw new Error('A second factor is asked for.');
  return { ...made, key: result.accessToken };
};

describe('a tenant that somebody makes for themselves', () => {
  it('opens with the link that its first owner is mailed, and they may do everything in it', async () => {
    const { id, key } = await opened('newco');
    const view = await details(send('', { key }));
    expect(view).toMatchObject({ id, slug: 'newco', name: 'The newco', status: 'active', plan: 'free' });
    expect(view.settings.requestsPerMinute).toBe(300);
    runtime.clock.advance(2 * day + 3_600_000);
    await passTime();
    expect(await details(runtimeGet('newco'))).toMatchObject({ verified: true });
  });

  it('is erased when nobody opens it in two days, and its slug is free again', async () => {
    const { id } = await details(create('squatted'));
    runtime.clock.advance(2 * day);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
    expect(await statusOf(create('squatted'))).toBe(201);
  });

  it('takes no name that somebody has, or would be taken for ours', async () => {
    await details(create('first-come'));
    expect(await codeOf(create('first-come', { email: 'other@first.example' }))).toBe('already-exists');
    for (const slug of ['admin', 'a', 'Acme', 'ac--me', '-acme', 'a.b', 'ä-co', 'x'.repeat(41)]) {
      expect(await codeOf(create(slug))).toBe('invalid-request');
    }
  });

  it.each(['two\nlines', 'nul\u0000', 'turned \u202e around', '<script>', ''])('has no name like %j', async (name) => {
    expect(await codeOf(create('bad-name', { name }))).toBe('invalid-request');
  });

  it('is made ten times a day from one network, and three times for one address', async () => {
    runtime.clock.advance(day);
    const from = { email: 'many@example.com' };
    for (let i = 0; i < 3; i += 1) expect(await statusOf(create(`of-many-${i}`, from))).toBe(201);
    expect(await codeOf(create('of-many-3', from))).toBe('rate-limited');
    for (let i = 3; i < 10; i += 1) expect(await statusOf(create(`from-one-${i}`))).toBe(201);
    expect(await codeOf(create('from-one-10'))).toBe('rate-limited');
    runtime.clock.advance(day);
    expect(await statusOf(create('from-one-10'))).toBe(201);
  });

  it('has a password that is hard to guess', async () => {
    expect(await codeOf(create('weak-co', { password: 'password12' }))).toBe('invalid-request');
  });
});

/** As our own services see a tenant that is made with its slug as its id, or by its slug. */
const runtimeGet = async (slug: string): Promise<Response> => {
  const found = await runtime.tenants.findBySlug(slug);
  const key = (await runtime.apiKeys.issue({ tenant: found?.id ?? '', name: 'x', scopes: ['*'] })).text;
  return send('', { key });
};

const internal = (path: string, method: string, body?: unknown) =>
  request(app, `/internal${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${internalToken}` },
    ...(body === undefined ? {} : { body }),
  });

describe('settings', () => {
  it('are replaced, and hold', async () => {
    const key = await runtime.key('settled', ['tenant:*']);
    const settings = { corsOrigins: ['https://app.example.com'], timeZone: 'Europe/Berlin', locale: 'de-AT' };
    const view = await details(send('', { key, method: 'PATCH', body: { name: 'Settled Ltd', settings } }));
    expect(view).toMatchObject({ name: 'Settled Ltd', settings: { ...settings, supportEmail: null } });
    for (const bad of [{ timeZone: 'Mars/Base' }, { locale: 'no language' }, { corsOrigins: ['*'] }, { x: 1 }]) {
      expect(await codeOf(send('', { key, method: 'PATCH', body: { settings: bad } }))).toBe('invalid-request');
    }
  });

  it('give no more requests a minute than the plan does, which the platform alone sets', async () => {
    const key = await runtime.key('modest', ['tenant:*']);
    const plan = { id: 'team', overrides: { requestsPerMinute: 500 } };
    expect(await statusOf(send('/tenants/modest/plan', { key, method: 'PUT', body: plan }))).toBe(404);
    expect(await details(internal('/tenants/modest/plan', 'PUT', plan))).toMatchObject({ plan: 'team' });
    expect((await runtime.tenants.get('modest')).settings.requestsPerMinute).toBe(500);
    const more = { settings: { requestsPerMinute: 501 } };
    expect(await codeOf(send('', { key, method: 'PATCH', body: more }))).toBe('precondition-failed');
  });

  it('keep the last three slugs, which nobody else gets', async () => {
    const [key, other] = [await runtime.key('slug-0', ['tenant:*']), await runtime.key('slug-other', ['tenant:*'])];
    const put = (who: string, slug: string) => send('/slug', { key: who, method: 'PUT', body: { slug } });
    for (let i = 1; i <= 4; i += 1) expect(await statusOf(put(key, `slug-${i}`))).toBe(200);
    expect(await details(send('', { key }))).toMatchObject({
      slug: 'slug-4',
      formerSlugs: ['slug-3', 'slug-2', 'slug-1'],
    });
    expect(await codeOf(put(other, 'slug-2'))).toBe('already-exists');
    const found: unknown = await (await send('/slugs/slug-2')).json();
    expect(found).toEqual({ id: 'slug-0', slug: 'slug-4', name: 'slug-0' });
    expect(await codeOf(send('/slugs/slug-nobody'))).toBe('not-found');
    expect(await statusOf(put(other, 'slug-0'))).toBe(200);
    expect(await details(put(key, 'slug-2'))).toMatchObject({ formerSlugs: ['slug-4', 'slug-3', 'slug-1'] });
  });
});

describe('suspension and deletion', () => {
  const linkTo = async (email: string) => world.tokenTo(email);

  it('are for owners who name the tenant', async () => {
    const { key } = await opened('careful');
    const admin = (
      await world.person((await runtime.tenants.findBySlug('careful'))?.id ?? '', 'a@x.example', ['admin'])
    ).accessToken;
    const body = { confirm: 'careful', reason: 'Incident' };
    expect(await codeOf(send('/suspension', { key: admin, body }))).toBe('forbidden');
    expect(await codeOf(send('/suspension', { key, body: { ...body, confirm: 'other' } }))).toBe('precondition-failed');
    expect(await codeOf(send('/deletion', { key, body: { confirm: 'other' } }))).toBe('precondition-failed');
    for (const graceDays of [0, 91, 1.5]) {
      expect(await codeOf(send('/deletion', { key, body: { confirm: 'careful', graceDays } }))).toBe('invalid-request');
    }
  });

  it('refuse everybody within 30 s, until a link that owners were mailed takes it back, once', async () => {
    const { key, id } = await opened('paused');
    const body = { confirm: 'paused', reason: 'Incident' };
    expect(await details(send('/suspension', { key, body }))).toMatchObject({ status: 'suspended' });
    runtime.clock.advance(30_000);
    expect(await codeOf(send('', { key }))).toBe('unauthenticated');
    const token = await linkTo('owner@paused.example');
    expect(await codeOf(send('/restoration', { body: { token: `${token.slice(0, -2)}zz` } }))).toBe('unauthenticated');
    expect(await details(send('/restoration', { body: { token } }))).toMatchObject({ id, status: 'active' });
    expect(await codeOf(send('/restoration', { body: { token } }))).toBe('unauthenticated');
    runtime.clock.advance(30_000);
    expect(await statusOf(send('', { key }))).toBe(200);
  });

  it('are not taken back by an owner where the platform suspended', async () => {
    const { key, id } = await opened('abusive');
    await details(send('/suspension', { key, body: { confirm: 'abusive', reason: 'Mine' } }));
    const token = await linkTo('owner@abusive.example');
    expect((await internal(`/tenants/${id}/suspension`, 'POST', { reason: 'Spam' })).status).toBe(200);
    expect(await codeOf(send('/restoration', { body: { token } }))).toBe('unauthenticated');
    expect(await details(internal(`/tenants/${id}/restoration`, 'POST'))).toMatchObject({ status: 'active' });
  });

  it('can be called off until the day, of which owners are reminded; then all is erased', async () => {
    const { key, id } = await opened('leaving');
    await details(send('/deletion', { key, body: { confirm: 'leaving', graceDays: 10 } }));
    const first = await linkTo('owner@leaving.example');
    runtime.clock.advance(7 * day);
    await passTime();
    const second = await linkTo('owner@leaving.example');
    expect(second).not.toBe(first);
    expect(await details(send('/restoration', { body: { token: first } }))).toMatchObject({ status: 'active' });
    expect(await codeOf(send('/restoration', { body: { token: second } }))).toBe('unauthenticated');
    runtime.clock.advance(3 * day);
    await passTime();
    expect(await runtime.tenants.get(id)).toMatchObject({ status: 'active' });
  });
});

describe('a tenant that was erased', () => {
  it('is written for no more by events that come late, whichever job takes them', async () => {
    const { key, id } = await opened('too-late');
    await details(send('/deletion', { key, body: { confirm: 'too-late', graceDays: 1 } }));
    runtime.clock.advance(day);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
    const data = { user: 'usr_1', session: 'ses_1', methods: ['pwd' as const], device: { ip: '192.0.2.9' } };
    const late = (tenant: string) => runtime.makeEvent(signInSucceeded, { tenant, subject: 'usr_1', data });
    await runtime.bus.publish([late(id), late('too-late-other')]);
    await runtime.bus.idle();
    const written = async (tenant: string) => [
      (await runtime.database.tenants(auditEntryCollection).of(tenant).query({ limit: 10 })).items.length,
      (await runtime.database.tenants(riskProfileCollection).of(tenant).query({ limit: 10 })).items.length,
    ];
    expect(await written(id)).toEqual([0, 0]);
    expect(await written('too-late-other')).toEqual([1, 1]);
  });
});

describe('a tenant in its first two days', () => {
  it('keeps its slug for good where its owner deletes it: nobody is to be taken for them', async () => {
    const { key, id } = await opened('first-day');
    await details(send('/deletion', { key, body: { confirm: 'first-day', graceDays: 1 } }));
    runtime.clock.advance(day);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
    expect(await codeOf(create('first-day', { email: 'other@first.example' }))).toBe('already-exists');
  });

  it('has no more than those to show its owner, whatever the platform suspends and restores', async () => {
    const { id } = await details(create('unshown'));
    await details(internal(`/tenants/${id}/suspension`, 'POST', { reason: 'Looked at' }));
    await details(internal(`/tenants/${id}/restoration`, 'POST'));
    runtime.clock.advance(2 * day);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('sandboxes', () => {
  const sandbox = (key: string, name = 'Try') => send('/sandboxes', { key, body: { name } });

  it('are tenants of their own, as many as the plan has, with keys that may do no more than their maker', async () => {
    const { key, id: parent } = await opened('sandy');
    const { id, sandboxOf } = await details(sandbox(key));
    expect(sandboxOf).toBe(parent);
    expect(await codeOf(sandbox(key))).toBe('precondition-failed');
    const member = await runtime.apiKeys.issue({ tenant: parent, name: 'x', scopes: ['tenant:*'] });
    const given: unknown = await (await send(`/sandboxes/${id}/keys`, { key: member.text, method: 'POST' })).json();
    const inside = typeof given === 'object' && given !== null && 'key' in given ? String(given.key) : '';
    expect(await details(send('', { key: inside }))).toMatchObject({ id, sandboxOf: parent });
    expect(await codeOf(send('/members', { key: inside }))).toBe('forbidden');
    expect(await codeOf(sandbox(inside))).toBe('precondition-failed');
    const foreign = await runtime.key('sandless', ['*']);
    expect(await codeOf(send(`/sandboxes/${id}`, { key: foreign, method: 'DELETE' }))).toBe('not-found');
    expect(await codeOf(send(`/sandboxes/${id}/keys`, { key: foreign, method: 'POST' }))).toBe('not-found');
    expect(await statusOf(send(`/sandboxes/${id}`, { key, method: 'DELETE' }))).toBe(204);
    runtime.clock.advance(600_000);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
    expect(await statusOf(sandbox(key))).toBe(201);
  });

  it('let nobody in while their tenant is suspended', async () => {
    const { key, id: parent } = await opened('halted');
    const { id } = await details(sandbox(key));
    const inside = (await runtime.apiKeys.issue({ tenant: id, name: 'x', scopes: ['tenant:*'] })).text;
    expect(await statusOf(send('', { key: inside }))).toBe(200);
    await details(internal(`/tenants/${parent}/suspension`, 'POST', { reason: 'Looked at' }));
    runtime.clock.advance(30_000);
    expect(await statusOf(send('', { key: inside }))).toBe(401);
    await details(internal(`/tenants/${parent}/restoration`, 'POST'));
    expect(await details(send('', { key: inside }))).toMatchObject({ id, status: 'active' });
  });

  it('go with the tenant that they are of, on its last day and not before', async () => {
    const parent = await opened('parting');
    const neighbour = await opened('staying');
    const { id } = await details(sandbox(parent.key));
    const { id: spared } = await details(sandbox(neighbour.key));
    const issued = await runtime.apiKeys.issue({ tenant: id, name: 'x', scopes: ['tenant:*'] });
    const inside = issued.text;
    const somebody = { email: 'try@example.com', emailVerified: true, roles: ['member'] };
    const { id: user } = await world.services.users.create(id, somebody);
    await details(send('/deletion', { key: parent.key, body: { confirm: 'parting', graceDays: 10 } }));
    runtime.clock.advance(9 * day);
    await passTime();
    expect(await runtime.tenants.get(id)).toMatchObject({ id, status: 'deleting' });
    expect(await runtime.database.tenants(userCollection).of(id).get(user)).toBeDefined();
    runtime.clock.advance(day);
    await passTime();
    await expect(runtime.tenants.get(parent.id)).rejects.toMatchObject({ code: 'not-found' });
    runtime.clock.advance(day / 24);
    await passTime();
    await expect(runtime.tenants.get(id)).rejects.toMatchObject({ code: 'not-found' });
    expect(await runtime.database.tenants(userCollection).of(id).get(user)).toBeUndefined();
    expect(await statusOf(send('', { key: inside }))).toBe(401);
    expect(await runtime.tenants.get(spared)).toMatchObject({ status: 'active' });
  });

  it('do not outlive their parent, however many the platform let it have, and whenever they were to end', async () => {
    const parent = await opened('many-sandboxes');
    const records = runtime.database.platform(tenantCollection);
    const { value } = (await records.get(parent.id)) ?? expect.fail('There is no parent.');
    const ids = Array.from({ length: 230 }, (_, i) => `tmany${String(i).padStart(3, '0')}`);
    for (const id of ids) await records.create(id, { ...value, slug: id, sandboxOf: parent.id });
    const [own = ''] = ids;
    const requestedAt = isoTime(runtime.clock.now());
    const later = isoTime(runtime.clock.now() + 90 * day);
    const waiting = { requestedAt, eraseAt: later, by: 'usr_1' };
    await records.update(own, { ...value, sandboxOf: parent.id, status: 'deleting', deletion: waiting, dueAt: later });
    await details(send('/deletion', { key: parent.key, body: { confirm: 'many-sandboxes', graceDays: 1 } }));
    runtime.clock.advance(day);
    await passTime();
    const due = await Promise.all(ids.map(async (id) => (await records.get(id))?.value));
    const ending = { status: 'deleting', dueAt: isoTime(runtime.clock.now()) };
    expect(due.map((one) => ({ status: one?.status, dueAt: one?.dueAt }))).toEqual(ids.map(() => ending));
    expect(new Set(due.map((one) => one?.deletion?.eraseAt))).toEqual(new Set([ending.dueAt]));
    // They are not to be erased one by one at the ticks of other tests.
    for (const id of ids) await records.delete(id);
  });
});
