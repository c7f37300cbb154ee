import type { Actor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { TenantStore, Transaction } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import { type EmailRequest, emailVariables, type SmsRequest, smsVariables } from '../message.events.ts';
import { oneLine } from '../one-line.ts';
import type { Branding } from './branding.ts';
import { builtInEmail, builtInSms, type EmailSource, isBuiltInLocale } from './built-in.ts';
import { loadSandbox, type Sandbox } from './liquid.ts';
import { type MessageTemplate, type TemplateKey, templateId } from './template.schema.ts';

type Data = Readonly<Record<string, unknown>>;

export interface TemplateService {
  /** Keeps a tenant's own wording. Fails with `invalid-request` when it does not render with sample data. */
  save(actor: Actor, template: MessageTemplate): Promise<void>;
  /** The same as a part of the caller's transaction, which repeats on `revision-conflict`. */
  prepare(actor: Actor, template: MessageTemplate): Promise<(transaction: Transaction) => void>;
  /** The tenant's own wording alone, and its removal as a part of the caller's transaction. */
  own(
    tenant: string,
    key: TemplateKey,
  ): Promise<{ readonly template: MessageTemplate; readonly remove: (transaction: Transaction) => void } | undefined>;
  /** With sample data. Fails with `invalid-request` when it does not render. */
  preview(template: MessageTemplate, brand: Branding): Promise<EmailSource>;
  /** The tenant's wording, or else the built-in one to begin with. Fails with `not-found` in a language without. */
  get(actor: Actor, key: TemplateKey): Promise<MessageTemplate>;
  /** The tenant's own. */
  list(actor: Actor, request: PageRequest): Promise<Page<MessageTemplate>>;
  /** Back to the built-in wording. */
  remove(actor: Actor, key: TemplateKey): Promise<void>;
  /** The tenant's wording in the nearest language, else the built-in one, English at last. */
  renderEmail(tenant: string, request: EmailRequest, brand: Branding): Promise<EmailSource>;
  renderSms(tenant: string, request: SmsRequest, brand: Branding): Promise<string>;
}

export interface TemplateServiceOptions {
  readonly templates: TenantStore<MessageTemplate>;
  readonly logger: Logger;
}

const brandVariables = ['brand.name', 'brand.colour', 'brand.logoUrl', 'brand.footer', 'locale'];

/** What a new wording is tried with: as long and as awkward as the real thing may be. */
const samples: Data = {
  name: 'Ada <b>"O\'Hara"</b>',
  inviter: 'Grace Hopper',
  role: 'admin',
  code: '123456',
  method: 'totp',
  left: 3,
  link: 'https://example.com/confirm?token=a&next=%2F',
  seller: 'Acme GmbH',
  number: 'INV-000001',
  amount: '29.00 EUR',
  minutes: 15,
  hours: 48,
  newEmail: 'a…@example.com',
  at: '2026-01-01T12:00:00.000Z',
  device: 'Firefox on Linux',
  place: 'Berlin, Germany',
};
const sampleBrand: Branding = {
  name: 'Acme & Sons',
  colour: '#1a56db',
  logoUrl: 'https://example.com/logo.png',
  footer: 'Acme Ltd, London',
  replyTo: null,
};

/** Nothing ends a line of a header, whatever a template makes of its data. */
const subjectLine = (text: string): string => oneLine(text).slice(0, 200).toWellFormed();

/** Twilio takes 1,600 characters at most; each 153 are one more message to pay. */
const smsText = (text: string): string =>
  text
    .replace(/[^\P{Cc}\n]+/gu, ' ')
    .trim()
    .slice(0, 640)
    .toWellFormed();

const variablesOf = ({ channel, template }: Pick<TemplateKey, 'channel' | 'template'>): readonly string[] =>
  (channel === 'email' ? emailVariables : smsVariables).get(template) ?? [];

/** The nearest first: `de-AT`, `de`, `en`. */
const localesFor = (locale: string): readonly string[] => [
  ...new Set([locale.toLowerCase(), locale.toLowerCase().split('-')[0] ?? '', 'en']),
];

const builtIn = (key: TemplateKey): MessageTemplate | undefined => {
  if (!isBuiltInLocale(key.locale)) return undefined;
  return key.channel === 'email'
    ? { ...key, content: builtInEmail(key.locale, key.template) }
    : { ...key, content: { text: builtInSms(key.locale, key.template) } };
};

/** All parts of a message, by one wording. */
const render = (sandbox: Sandbox, template: MessageTemplate, data: Data, brand: Branding): EmailSource => {
  const names = variablesOf(template);
  const variables = new Set([...names, ...brandVariables]);
  const scope = { ...Object.fromEntries(names.map((name) => [name, null])), ...data, brand, locale: template.locale };
  const make = (source: string, output: 'html' | 'text') => sandbox.compile(source, output, variables).render(scope);
  return template.channel === 'email'
    ? {
        subject: subjectLine(make(template.content.subject, 'text')),
        text: make(template.content.text, 'text'),
        html: make(template.content.html, 'html'),
      }
    : { subject: '', text: smsText(make(template.content.text, 'text')), html: '' };
};

export const createTemplateService = ({ templates, logger }: TemplateServiceOptions): TemplateService => {
  let loading: Promise<Sandbox> | undefined;
  const open = (): Promise<Sandbox> => {
    loading ??= loadSandbox();
    return loading;
  };

  /** All wordings that would do, the best first. The last one is always built in. */
  const candidates = async (tenant: string, key: TemplateKey): Promise<MessageTemplate[]> => {
    const keys = localesFor(key.locale).map((locale) => ({ ...key, locale }));
    const own = await templates.of(tenant).getMany(keys.map(templateId));
    return keys.flatMap((one, i) => [own[i]?.value, builtIn(one)].filter((found) => found !== undefined));
  };

  const renderBest = async (tenant: string, key: TemplateKey, data: Data, brand: Branding): Promise<EmailSource> => {
    const sandbox = await open();
    for (const template of await candidates(tenant, key)) {
      try {
        return render(sandbox, template, data, brand);
      } catch (error) {
        // It was tried when it was saved, but a password reset must not depend on that.
        logger.warn('A template does not render; the next one is taken.', { template: templateId(template), error });
      }
    }
    throw new Error(`No wording of ${key.template} renders.`);
  };

  const preview: TemplateService['preview'] = async (template, brand) => {
    const names = variablesOf(template);
    return render(await open(), template, Object.fromEntries(names.map((name) => [name, samples[name]])), brand);
  };

  return {
    preview,
    prepare: async ({ tenant }, template) => {
      await preview(template, sampleBrand);
      const [store, id] = [templates.of(tenant), templateId(template)];
      const there = await store.get(id);
      return (transaction) => {
        if (there === undefined) transaction.create(store, id, template);
        else transaction.update(store, id, template, { revision: there.revision });
      };
    },
    own: async (tenant, key) => {
      const store = templates.of(tenant);
      const there = await store.get(templateId(key));
      if (there === undefined) return undefined;
      const { id, value: template, revision } = there;
      return { template, remove: (transaction) => transaction.delete(store, id, { revision }) };
    },
    save: async ({ tenant }, template) => {
      await preview(template, sampleBrand);
      const [store, id] = [templates.of(tenant), templateId(template)];
      try {
        await store.create(id, template);
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        await store.update(id, template);
      }
    },
    get: async ({ tenant }, key) => {
      const template = (await templates.of(tenant).get(templateId(key)))?.value ?? builtIn(key);
      if (template === undefined) throw new OmniError('not-found', 'There is no such template.');
      return template;
    },
    list: async ({ tenant }, request) => {
      const page = await templates.of(tenant).query(request);
      return { ...page, items: page.items.map(({ value }) => value) };
    },
    remove: ({ tenant }, key) => templates.of(tenant).delete(templateId(key)),
    renderEmail: (tenant, { template, locale, data }, brand) =>
      renderBest(tenant, { channel: 'email', template, locale }, data, brand),
    renderSms: async (tenant, { template, locale, data }, brand) =>
      (await renderBest(tenant, { channel: 'sms', template, locale }, data, brand)).text,
  };
};
