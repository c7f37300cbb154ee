import { afterAll, describe, expect, it } from 'vitest';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { customDomainViewSchema, domainHostCollection, nodeDns } from '#shared/platform/index.ts';
import { startDnsServer } from '#tests/support/dns-server.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { tick } from '#tests/support/ticks.ts';

const dns = await startDnsServer();
afterAll(() => dns.close());
const runtime = await testRuntime({ environment: { OMNI_DNS_SERVERS: dns.address } });
const app = runtime.start(platform, createServices);
const base = '/api/v1/tenant/domains';
const minute = 60_000;
const day = 1_440 * minute;

const send = (path: string, options: TestRequest) => request(app, `${base}${path}`, options);
const codeOf = async (response: Promise<Response>): Promise<unknown> => {
  const body: unknown = await (await response).json();
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};
const read = async (response: Promise<Response>) => customDomainViewSchema.parse(await (await response).json());
const claim = (key: string, domain: string) => send('', { key, body: { domain } });
const verify = (key: string, domain: string) => read(send(`/${domain}/verify`, { key, method: 'POST' }));
const passTime = async (milliseconds: number) => {
  runtime.clock.advance(milliseconds);
  await tick(runtime, app, { schedule: 'domain-checks', job: 'platform.start-domain-checks' });
};
const keyOf = (tenant: string) => runtime.key(tenant, ['tenant:*']);
const ownerOf = async (domain: string) =>
  (await runtime.database.platform(domainHostCollection).get(domain))?.value.tenant;

describe('a custom domain', () => {
  it('is verified by the text that its owner puts into DNS', async () => {
    const key = await keyOf('proving');
    const { record, status } = await read(claim(key, 'Login.Example.COM.'));
    expect([record.name, record.type, status]).toEqual(['_omni-challenge.login.example.com', 'TXT', 'pending']);
    expect(await verify(key, 'login.example.com')).toMatchObject({ status: 'pending', problem: 'no-record' });
    dns.set(record.name, ['something-else=1']);
    expect(await verify(key, 'login.example.com')).toMatchObject({ status: 'pending', problem: 'other-record' });
    dns.set(record.name, ['something-else=1', record.value]);
    expect(await verify(key, 'login.example.com')).toMatchObject({ status: 'verified' });
    expect(await ownerOf('login.example.com')).toBe('proving');
    expect(dns.questions).toContain('TXT _omni-challenge.login.example.com');
    expect((await send('/login.example.com', { key, method: 'DELETE' })).status).toBe(204);
    expect(await ownerOf('login.example.com')).toBeUndefined();
  });

  it('may be claimed by anybody, and is only whose proof is there', async () => {
    const [squatter, owner] = [await keyOf('squatter'), await keyOf('rightful')];
    await read(claim(squatter, 'shop.example.org'));
    const { record } = await read(claim(owner, 'shop.example.org'));
    dns.set(record.name, [record.value]);
    expect(await verify(squatter, 'shop.example.org')).toMatchObject({ status: 'pending', problem: 'other-record' });
    expect(await verify(owner, 'shop.example.org')).toMatchObject({ status: 'verified' });
    expect(await codeOf(claim(owner, 'shop.example.org'))).toBe('already-exists');
  });

  it('is one tenant’s, whatever DNS says, until that one lets it go', async () => {
    const [first, second] = [await keyOf('holder'), await keyOf('wanting')];
    const [mine, theirs] = [
      await read(claim(first, 'both.example.net')),
      await read(claim(second, 'both.example.net')),
    ];
    dns.set(mine.record.name, [mine.record.value, theirs.record.value]);
    const both = await Promise.all([verify(first, 'both.example.net'), verify(second, 'both.example.net')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['pending', 'verified']);
    expect(both.map(({ problem }) => problem)).toContain('taken');
  });

  it('is looked for at growing intervals, and has failed after seven days', async () => {
    const key = await keyOf('patient');
    await read(claim(key, 'late.example.com'));
    const before = dns.questions.length;
    for (let i = 0; i < 6; i += 1) await passTime(10 * minute);
    const asked = dns.questions.slice(before).filter((one) => one.includes('late.example.com'));
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(asked.length).toBeLessThan(6);
    for (let i = 0; i < 8; i += 1) await passTime(day);
    expect(await read(send('/late.example.com', { key }))).toMatchObject({ status: 'failed' });
    expect(await codeOf(send('/late.example.com/verify', { key, method: 'POST' }))).toBe('precondition-failed');
  });

  it('is lost when its proof is gone for three days, but not while DNS is silent', async () => {
    const key = await keyOf('losing');
    const { record } = await read(claim(key, 'gone.example.com'));
    dns.set(record.name, [record.value]);
    expect(await verify(key, 'gone.example.com')).toMatchObject({ status: 'verified' });
    dns.behave('refused');
    for (let i = 0; i < 5; i += 1) await passTime(day);
    expect(await read(send('/gone.example.com', { key }))).toMatchObject({ status: 'verified', problem: 'dns-failed' });
    dns.behave('well');
    dns.set(record.name, ['other']);
    for (let i = 0; i < 3; i += 1) await passTime(day);
    expect(await read(send('/gone.example.com', { key }))).toMatchObject({ status: 'failed' });
    expect(await ownerOf('gone.example.com')).toBeUndefined();
  });

  it.each([
    'com',
    'co.uk',
    'github.io',
    '127.0.0.1',
    'localhost',
    'a..example.com',
    'x.internal',
    'exa mple.com',
    'https://example.com',
    '-a.example.com',
  ])('is not %s', async (domain) => {
    expect(await codeOf(claim(await keyOf('odd'), domain))).toBe('invalid-request');
  });

  it('is kept in the one form that it has in DNS', async () => {
    expect(await read(claim(await keyOf('umlaut'), 'Bücher.example.com'))).toMatchObject({
      domain: 'xn--bcher-kva.example.com',
      unicode: 'bücher.example.com',
    });
  });

  it('counts against the plan', async () => {
    const services = createServices(runtime);
    const key = await keyOf('limited');
    const platformActor = { tenant: '-', kind: 'system', id: 'service', scopes: new Set<string>() } as const;
    await services.tenantAdmin.setPlan(platformActor, 'limited', { id: 'team', overrides: {} });
    expect((await claim(key, 'one.example.com')).status).toBe(201);
    expect(await codeOf(claim(key, 'two.example.com'))).toBe('precondition-failed');
  });
});

describe('the resolver', () => {
  it('joins the strings of a record, and tells no name from no answer', async () => {
    const resolver = nodeDns({ servers: [dns.address], timeout: 200 });
    const long = 'x'.repeat(600);
    dns.set('long.example.com', [long]);
    expect(await resolver.txt('long.example.com')).toEqual([long]);
    expect(await resolver.txt('nothing.example.com')).toEqual([]);
    dns.behave('silent');
    await expect(resolver.txt('long.example.com')).rejects.toMatchObject({ code: 'unavailable' });
    dns.behave('well');
  });
});
