import type { Actor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import { type MessageTemplate, type TemplateService, templateKeySchema } from '../../messaging/index.ts';
import type { AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Transaction } from '../../store/store.ts';
import type { BrandingService } from './branding.service.ts';

/** With its id, `email:invitation:de`. */
export interface MailTemplate {
  readonly id: string;
  readonly template: MessageTemplate;
}

export interface MailTemplateService {
  /** The tenant's own wordings. */
  list(actor: Actor, request: PageRequest): Promise<Page<MailTemplate>>;
  /** Fails with `not-found` where the built-in wording holds. */
  get(actor: Actor, id: string): Promise<MailTemplate>;
  /** Fails with `invalid-request` for one that does not render with sample data. */
  put(actor: Actor, template: MessageTemplate): Promise<MailTemplate>;
  /** Back to the built-in wording. Fails with `not-found` where it holds already. */
  remove(actor: Actor, id: string): Promise<void>;
  /** With sample data and the tenant's branding; nothing is kept or sent. */
  preview(actor: Actor, template: MessageTemplate): Promise<{ subject: string; text: string; html: string }>;
}

export interface MailTemplateOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly templates: Pick<TemplateService, 'prepare' | 'own' | 'list' | 'preview'>;
  readonly branding: Pick<BrandingService, 'get'>;
  readonly audit: AuditLog;
}

const maxAttempts = 10;
const absent = () => new OmniError('not-found', 'There is no such template.');

const withId = (template: MessageTemplate): MailTemplate => ({
  id: `${template.channel}:${template.template}:${template.locale.toLowerCase()}`,
  template,
});

const keyOf = (id: string) => {
  const [channel, template, locale] = id.split(':');
  const key = templateKeySchema.safeParse({ channel, template, locale });
  if (!key.success || id.split(':').length !== 3) throw absent();
  return key.data;
};

export const createMailTemplateService = (options: MailTemplateOptions): MailTemplateService => {
  const { database, templates, branding, audit } = options;

  const write = (
    actor: Actor,
    action: string,
    id: string,
    prepare: () => Promise<(transaction: Transaction) => void>,
  ) =>
    retrying(maxAttempts, async () => {
      const save = await prepare();
      await database
        .transaction(async (transaction) => {
          await audit.record(transaction, actor, {
            action: `platform.mail-template.${action}`,
            target: { type: 'mail-template', id },
            outcome: 'success',
          });
          save(transaction);
        })
        .catch((error: unknown) => {
          throw isOmniError(error, 'already-exists')
            ? new OmniError('revision-conflict', 'It was changed meanwhile.')
            : error;
        });
    });

  const find = async ({ tenant }: Actor, id: string) => {
    const stored = await templates.own(tenant, keyOf(id));
    if (stored === undefined) throw absent();
    return stored;
  };

  return {
    list: async (actor, request) => {
      const page = await templates.list(actor, request);
      return { ...page, items: page.items.map(withId) };
    },
    get: async (actor, id) => withId((await find(actor, id)).template),
    put: async (actor, template) => {
      const named = withId(template);
      await write(actor, 'updated', named.id, () => templates.prepare(actor, template));
      return named;
    },
    remove: (actor, id) => write(actor, 'removed', id, async () => (await find(actor, id)).remove),
    preview: async (actor, template) => templates.preview(template, await branding.get(actor)),
  };
};
