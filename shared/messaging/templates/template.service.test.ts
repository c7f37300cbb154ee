import { describe, expect, it } from 'vitest';
import { systemActor } from '../../kernel/actor.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { memoryLogger } from '../../telemetry/index.ts';
import {
  type EmailRequest,
  emailRequestSchema,
  emailVariables,
  smsRequestSchema,
  smsVariables,
} from '../message.events.ts';
import { brandingSchema } from './branding.ts';
import { type MessageTemplate, templateCollection, templateSchema } from './template.schema.ts';
import { createTemplateService } from './template.service.ts';

const logger = memoryLogger();
const templates = embeddedDatabase().tenants(templateCollection);
const service = createTemplateService({ templates, logger });
const brand = brandingSchema.parse({ name: 'Acme & Sons', footer: 'Acme Ltd, London' });

let last = 0;
const newActor = () => {
  last += 1;
  return systemActor(`tenant-${last}`, 'test');
};

const at = '2026-03-01T18:30:00.000Z';
const data = {
  name: 'Ada',
  link: 'https://acme.example/confirm?token=a&next=%2F',
  seller: 'Acme GmbH',
  number: 'INV-000001',
  amount: '29.00 EUR',
  minutes: 15,
  hours: 48,
  code: '123456',
  newEmail: 'a…@example.com',
  at,
  device: 'Firefox on Linux',
  place: 'Berlin, Germany',
  inviter: 'Grace',
  role: 'admin',
  what: 'Many accounts tried from one network',
  detail: 'Sign-in to about 25 accounts failed.',
  method: 'passkey',
  left: 7,
};
/** What is not shown as it was given. */
const shown: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  at: { en: '2026', de: '2026' },
  method: { en: 'passkey', de: 'Passkey' },
};
const emailOf = (template: string, change: object = {}, locale = 'en'): EmailRequest =>
  emailRequestSchema.parse({ template, to: 'ada@example.com', locale, dedupeKey: '1', data: { ...data, ...change } });
const smsOf = (template: string, locale = 'en') =>
  smsRequestSchema.parse({ template, to: '+4915112345678', locale, dedupeKey: '1', data });

const own = (content: object, key: object = {}): MessageTemplate =>
  templateSchema.parse({
    channel: 'email',
    template: 'mfa-code',
    locale: 'en',
    ...key,
    content: { subject: 'S', text: 'T', html: 'H', ...content },
  });
const render = (tenant: string, request = emailOf('mfa-code')) => service.renderEmail(tenant, request, brand);

describe.each(['en', 'de'])('the built-in wording in %s', (locale) => {
  it.each([...emailVariables])('of the email %s says all that it was given', async (template, variables) => {
    const { subject, text, html } = await service.renderEmail('nobody', emailOf(template, {}, locale), brand);
    expect(subject).not.toMatch(/[{}\n]/);
    for (const body of [text, html]) expect(body).not.toMatch(/\{[{%]|[%}]\}|undefined|null/);
    for (const name of variables) {
      const value = shown[name]?.[locale] ?? String(Reflect.get(data, name));
      expect(text).toContain(value);
      expect(html).toContain(value.replaceAll('&', '&amp;'));
    }
    expect(html).toContain('Acme &amp; Sons');
    expect(text).toContain('Acme & Sons');
    expect(html).toContain(`<html lang="${locale}">`);
  });

  it.each([...smsVariables.keys()])('of the text message %s fits two parts', async (template) => {
    const text = await service.renderSms('nobody', smsOf(template, locale), brand);
    expect(text).toContain('Acme & Sons');
    expect(text.length).toBeLessThanOrEqual(306);
  });

  it('passes its own check, so that a tenant may begin with it', async () => {
    const actor = newActor();
    for (const template of ['verify-email', 'new-sign-in', 'invitation'] as const) {
      await service.save(actor, await service.get(actor, { channel: 'email', template, locale }));
    }
    expect((await service.list(actor, { limit: 10 })).items).toHaveLength(3);
  });
});

describe('the wording that is taken', () => {
  it('is written in the nearest language', async () => {
    const subjectIn = async (locale: string) => (await render('nobody', emailOf('mfa-code', {}, locale))).subject;
    expect(await subjectIn('de-AT')).toBe('Ihr Code für Acme & Sons');
    expect(await subjectIn('fr')).toBe('Your code for Acme & Sons');
    expect(await subjectIn('DE')).toBe('Ihr Code für Acme & Sons');
  });

  it("is the tenant's own, until it is taken away, and nobody else's", async () => {
    const [actor, other] = [newActor(), newActor()];
    await service.save(actor, own({ subject: 'First' }));
    await service.save(actor, own({ subject: 'Code for {{ brand.name }}', text: '{{ code | append: "!" }}' }));
    expect(await render(actor.tenant)).toEqual({ subject: 'Code for Acme & Sons', text: '123456!', html: 'H' });
    expect((await render(other.tenant)).subject).toBe('Your code for Acme & Sons');
    expect((await service.list(other, { limit: 10 })).items).toEqual([]);
    await service.remove(other, { channel: 'email', template: 'mfa-code', locale: 'en' });
    expect((await render(actor.tenant)).subject).toBe('Code for Acme & Sons');
    await service.remove(actor, { channel: 'email', template: 'mfa-code', locale: 'en' });
    expect((await render(actor.tenant)).subject).toBe('Your code for Acme & Sons');
  });

  it("is the tenant's in a language that only the tenant has", async () => {
    const actor = newActor();
    const key = { channel: 'email', template: 'mfa-code', locale: 'fr' } as const;
    await expect(service.get(actor, key)).rejects.toMatchObject({ code: 'not-found' });
    await service.save(actor, own({ subject: 'Votre code' }, key));
    expect((await render(actor.tenant, emailOf('mfa-code', {}, 'fr-CA'))).subject).toBe('Votre code');
  });

  it('writes times as its language does, in UTC', async () => {
    const time = async (locale: string) => (await render('nobody', emailOf('new-sign-in', {}, locale))).text;
    expect(await time('de')).toContain('1. März 2026 um 18:30 UTC');
    expect(await time('en')).toMatch(/March 1, 2026 at 6:30\sPM UTC/);
  });

  it("is the built-in one, and the log says so, where the tenant's fails nevertheless", async () => {
    const actor = newActor();
    await templates.of(actor.tenant).create('email:mfa-code:en', own({ text: '{{ gone }}' }));
    expect((await render(actor.tenant)).text).toContain('123456');
    expect(logger.lines.at(-1)).toMatchObject({ level: 'warn', fields: { template: 'email:mfa-code:en' } });
  });
});

describe('a wording is refused', () => {
  it.each([
    ['no Liquid', '{% if %}'],
    ['unclosed', '{{ code'],
    ['a tag that there is not', '{% nonsense %}'],
    ['a filter that there is not', '{{ code | nonsense }}'],
    ['a variable that there is not', '{{ password }}'],
    ['a variable of another message', '{{ inviter }}'],
    ['a variable in a condition', '{% if secret %}x{% endif %}'],
    ['a part of the brand that there is not', '{{ brand.replyTo }}'],
    ['a variable by a name that is made up', '{% assign x = "name" %}{{ brand[x] }}'],
    ['a way to a prototype', '{{ brand.constructor.name }}'],
    ['another way to a prototype', '{{ code.__proto__ }}'],
    ['a way through a computed name', '{{ brand["constructor"] }}'],
    ['a file', "{% include '/etc/passwd' %}"],
    ['a file to render', "{% render '../../package.json' %}"],
    ['a layout', "{% layout 'x' %}"],
    ['a loop', '{% for i in (1..1000000000) %}x{% endfor %}'],
    ['a table', '{% tablerow i in (1..1000000000) %}x{% endtablerow %}'],
    ['Liquid in Liquid', '{% liquid\n assign x = 1 %}'],
    ['a capture', '{% capture x %}a{% endcapture %}'],
    ['unescaped output', '{{ name | raw }}'],
    ['an expression', '{{ code | where_exp: "x", "x" }}'],
    ['a part of the brand by the name of another variable', '{{ brand[code] }}'],
    ['a variable within a filter', '{{ code | append: secret }}'],
    ['text that grows without bounds', `{{ code${' | append: code'.repeat(1_200)} }}`],
  ])('that has %s', async (_what, text) => {
    await expect(service.save(newActor(), own({ text }))).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it.each([
    ['two lines', 'a\nb'],
    ['a header', 'a\r\nBcc: all@example.com'],
    ['nothing', ''],
    ['201 characters', 'x'.repeat(201)],
  ])('whose subject has %s', (_what, subject) => {
    expect(() => own({ subject })).toThrow();
  });

  it('that is nested too deep for anything, without harm', async () => {
    const html = '{% if code %}'.repeat(2_500) + '{% endif %}'.repeat(2_500);
    await service.save(newActor(), own({ html })).catch((error) => expect(error.code).toBe('invalid-request'));
    expect((await render('nobody')).text).toContain('123456');
  });

  it('that is longer than a message', () => {
    expect(() => own({ text: 'x'.repeat(20_001) })).toThrow();
    expect(() => own({ html: 'x'.repeat(60_001) })).toThrow();
  });

  it('with a reason that helps', async () => {
    await expect(service.save(newActor(), own({ text: '{{ password }}' }))).rejects.toMatchObject({
      code: 'invalid-request',
      message: 'The template fails: there is no variable password',
    });
  });

  it('quickly, however much work it is made to do', async () => {
    const started = performance.now();
    const heavy =
      '{% if code contains "1" and code contains "2" %}{{ code | upcase | downcase | truncate: 5 }}{% endif %}';
    await service.save(newActor(), own({ html: heavy.repeat(500) })).catch(() => undefined);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('what people chose themselves', () => {
  const name = '<img src=x onerror=alert(1)>"\'&';

  it('is text in HTML, in an attribute too', async () => {
    const actor = newActor();
    await service.save(actor, own({ html: '<a title="{{ name }}">{{ name }}</a>', text: '{{ name }}' }));
    const { html, text } = await render(actor.tenant, emailOf('mfa-code', { name }));
    const escaped = '&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;';
    expect(html).toBe(`<a title="${escaped}">${escaped}</a>`);
    expect(text).toBe(name);
  });

  it('is not Liquid', async () => {
    const { text } = await render('nobody', emailOf('mfa-code', { name: '{{ code }}{% if code %}x{% endif %}' }));
    expect(text).toContain('Hello {{ code }}{% if code %}x{% endif %},');
  });

  it('adds no line to a subject', async () => {
    const actor = newActor();
    await service.save(actor, own({ subject: 'For {{ name }}' }));
    const request = emailOf('mfa-code', { name: 'Ada\r\nBcc all\u2028x\u0000' });
    expect((await render(actor.tenant, request)).subject).toBe('For Ada Bcc all x');
    // Also where an event was made without the schema.
    const raw: EmailRequest = {
      ...emailOf('mfa-code'),
      template: 'mfa-code',
      data: { code: '1', minutes: 1, name: 'A\r\nB' },
    };
    expect((await render(actor.tenant, raw)).subject).toBe('For A B');
  });

  it('makes no link and no address', () => {
    const { data: clean } = emailOf('invitation', {
      inviter: 'Win at https://evil.example/x or mail@evil.example',
      name: 'Dr.Who',
    });
    expect(clean).toMatchObject({ inviter: 'Win at https evil. example x or mail evil. example', name: 'Dr. Who' });
  });

  it('does not turn its text around', () => {
    expect(emailOf('mfa-code', { name: 'a\u202Eb' }).data.name).toBe('a b');
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', '/relative', 'ftp://example.com/x'])(
    'is no link like %s',
    (link) => {
      expect(() => emailOf('magic-link', { link })).toThrow();
    },
  );

  it.each([{ colour: 'red;background:url(x)' }, { logoUrl: 'http://example.com/x.png' }, { logoUrl: 'javascript:x' }])(
    'is no look like %o',
    (look) => {
      expect(() => brandingSchema.parse({ name: 'Acme', ...look })).toThrow();
    },
  );
});
