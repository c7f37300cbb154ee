import { describe, expect, it } from 'vitest';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { domainHostCollection } from '#shared/platform/index.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const app = runtime.start(platform, createServices);
const base = '/api/v1/tenant';

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, options);
const codeOf = async (response: Promise<Response>): Promise<unknown> => {
  const body: unknown = await (await response).json();
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};
const keyOf = (tenant: string) => runtime.key(tenant, ['tenant:*']);
const put = (key: string, body: string, title = 'Hello') =>
  send('/page-templates', { key, method: 'PUT', body: { kind: 'sign-in', title, body } });
const shown = async (slug: string) => (await send(`/pages/${slug}/sign-in`)).text();

describe('a page of a tenant', () => {
  it('is built in until the tenant has its own, and nothing in it may run', async () => {
    const key = await keyOf('shop');
    const response = await send('/pages/shop/sign-in');
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await response.text()).toContain('<h1>shop</h1>');
    expect((await put(key, '<h2>Welcome to {{ brand.name }}</h2>')).status).toBe(200);
    expect(await shown('shop')).toContain('<h2>Welcome to shop</h2>');
    expect((await send('/page-templates/sign-in', { key, method: 'DELETE' })).status).toBe(204);
    expect(await shown('shop')).toContain('<h1>shop</h1>');
  });

  it.each([
    ['<script>alert(1)</script>', 'script'],
    ['<img src="x" onerror="alert(1)">', 'onerror'],
    ['<a href="javascript:alert(1)">x</a>', 'javascript'],
    ['<iframe src="https://evil.example"></iframe>', 'iframe'],
    ['<form action="https://evil.example"><input name="password"></form>', 'evil'],
    ['<p style="background:url(https://evil.example)">x</p>', 'evil'],
    ['<svg><animate onbegin="alert(1)"></svg>', 'onbegin'],
    ['<base href="//evil.example">', 'evil'],
    ['<meta http-equiv="refresh" content="0;url=https://evil.example">', 'evil'],
  ])('has none of %s', async (body, trace) => {
    const key = await keyOf('attacked');
    expect((await put(key, `<p>there</p>${body}`)).status).toBe(200);
    const page = await shown('attacked');
    expect(page).toContain('there');
    expect(page).not.toContain(trace);
  });

  it('takes no markup from branding or its title', async () => {
    const key = await keyOf('named');
    const branding = { footer: '<img src=x onerror=alert(1)>' };
    await send('/branding', { key, method: 'PUT', body: branding });
    await put(key, '<p>{{ brand.footer }}</p>', '</title><script>alert(1)</script>');
    const page = await shown('named');
    expect(page).toContain('&lt;img');
    expect(page).not.toContain('<script');
  });

  it.each([
    '{% for i in (1..1000000000) %}x{% endfor %}',
    '{{ secret }}',
    "{% render 'x' %}",
    '{{ brand.constructor }}',
  ])('can not do %s', async (body) => {
    expect(await codeOf(put(await keyOf('sly'), body))).toBe('invalid-request');
  });

  it('is found by a verified domain, and not of who is suspended or nobody', async () => {
    const key = await keyOf('domained');
    await put(key, '<p>by domain</p>');
    const hosts = runtime.database.platform(domainHostCollection);
    await hosts.create('login.example.com', { tenant: 'domained', verifiedAt: '2026-01-01T00:00:00.000Z' });
    const at = (host: string) => app.request(`https://${host}${base}/pages/-/sign-in`);
    expect(await (await at('login.example.com')).text()).toContain('by domain');
    expect((await at('other.example.com')).status).toBe(404);
    expect(await codeOf(send('/pages/nobody-there/sign-in'))).toBe('not-found');
    const by = { tenant: 'domained', kind: 'system', id: 'test' } as const;
    await createServices(runtime).records.change(by, () => ({ value: { status: 'suspended' }, action: 'x' }));
    expect((await at('login.example.com')).status).toBe(404);
  });
});
