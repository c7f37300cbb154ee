import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { brandingSchema } from '#shared/messaging/index.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const app = runtime.start(platform, createServices);
const base = '/api/v1/tenant';

const send = (path: string, options: TestRequest) => request(app, `${base}${path}`, options);
const codeOf = async (response: Promise<Response>): Promise<unknown> => {
  const body: unknown = await (await response).json();
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};
const read = async <T>(schema: z.ZodType<T>, response: Promise<Response>): Promise<T> =>
  schema.parse(await (await response).json());
const keyOf = (tenant: string) => runtime.key(tenant, ['tenant:*']);

const wording = (content: Readonly<Record<string, string>>) => ({
  channel: 'email',
  template: 'invitation',
  locale: 'en',
  content: {
    subject: 'Join {{ brand.name }}',
    text: 'Hi {{ name }}: {{ link }}',
    html: '<p>{{ name }}</p>',
    ...content,
  },
});
const rendered = z.object({ subject: z.string(), text: z.string(), html: z.string() });

describe('branding', () => {
  const put = (key: string, body: unknown) => send('/branding', { key, method: 'PUT', body });

  it("is the tenant's name in our colours until it says otherwise", async () => {
    const key = await keyOf('plain');
    expect(await read(brandingSchema, send('/branding', { key }))).toMatchObject({ name: 'plain', colour: '#1a56db' });
    const own = { name: 'Plain & Co', colour: '#7c2d12', logoUrl: 'https://plain.example/logo.png', footer: 'London' };
    expect(await read(brandingSchema, put(key, own))).toMatchObject(own);
    expect(await read(brandingSchema, send('/branding', { key }))).toMatchObject(own);
  });

  it.each([
    ['a colour on which white is hard to read', { colour: '#ffcc00' }],
    ['a colour that is none', { colour: 'red;background:url(x)' }],
    ['a logo without TLS', { logoUrl: 'http://plain.example/logo.png' }],
    ['a script for a logo', { logoUrl: 'javascript:alert(1)' }],
    ['a name of two lines', { name: 'Plain\r\nBcc: x@example.com' }],
    ['a reply address with a header in it', { replyTo: 'x@example.com\r\nBcc: y@example.com' }],
  ])('takes not %s', async (_what, body) => {
    expect(await codeOf(put(await keyOf('bad'), body))).toBe('invalid-request');
  });
});

describe('a wording of its own', () => {
  const put = (key: string, content: Readonly<Record<string, string>>) =>
    send('/mail-templates', { key, method: 'PUT', body: wording(content) });

  it('is kept, listed, previewed and given up', async () => {
    const key = await keyOf('wordy');
    expect((await put(key, {})).status).toBe(200);
    const path = '/mail-templates/email:invitation:en';
    expect((await send(path, { key })).status).toBe(200);
    const listed = z.object({ items: z.array(z.object({ id: z.string() })) });
    expect((await read(listed, send('/mail-templates', { key }))).items).toEqual([{ id: 'email:invitation:en' }]);
    const seen = await read(rendered, send('/mail-templates/preview', { key, body: wording({}) }));
    expect(seen.subject).toBe('Join wordy');
    expect(seen.html).not.toContain('<b>');
    expect((await send(path, { key, method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(send(path, { key }))).toBe('not-found');
    expect(await codeOf(send(path, { key, method: 'DELETE' }))).toBe('not-found');
  });

  it.each([
    ['files', { html: "{% include 'x' %}" }],
    ['loops', { text: '{% for i in (1..1000000000) %}x{% endfor %}' }],
    ['output without escaping', { html: '{{ name | raw }}' }],
    ['prototypes', { text: '{{ name.constructor }}' }],
    ['data that there is not', { text: '{{ secret }}' }],
    ['what is no Liquid', { text: '{% if %' }],
    ['a header in its subject', { subject: 'x\r\nBcc: all@example.com' }],
  ])('has no %s', async (_what, content) => {
    expect(await codeOf(put(await keyOf('sly'), content))).toBe('invalid-request');
  });

  it('is not told to another tenant', async () => {
    await put(await keyOf('mine'), {});
    expect(await codeOf(send('/mail-templates/email:invitation:en', { key: await keyOf('theirs') }))).toBe('not-found');
    expect(await codeOf(send('/mail-templates/email:nonsense:en', { key: await keyOf('theirs') }))).toBe('not-found');
  });
});
