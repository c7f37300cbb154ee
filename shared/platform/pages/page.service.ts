import type { Cache } from '../../cache/cache.ts';
import type { Actor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { type Branding, loadSandbox, type Sandbox } from '../../messaging/index.ts';
import type { AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, TenantStore, Transaction } from '../../store/store.ts';
import type { BrandingService } from '../branding/branding.service.ts';
import type { TenantService, TenantView } from '../tenants/tenant.service.ts';
import { loadSanitiser, type Sanitise } from './page.sanitiser.ts';
import type { PageKind, PageTemplate } from './page.schema.ts';

/** With its id, which is its kind. */
export type StoredPage = PageTemplate & { readonly id: string };

export interface PageService {
  /** The tenant's own. */
  list(actor: Actor): Promise<readonly StoredPage[]>;
  /** Fails with `not-found` where the built-in page holds. */
  get(actor: Actor, kind: string): Promise<StoredPage>;
  /** Fails with `invalid-request` for one that does not render. */
  put(actor: Actor, template: PageTemplate): Promise<StoredPage>;
  /** Back to the built-in page. Fails with `not-found` where it holds already. */
  remove(actor: Actor, kind: string): Promise<void>;
  /** As it would be shown; nothing is kept. */
  preview(actor: Actor, template: PageTemplate): Promise<string>;
  /** The page of an active tenant, by its slug or by a verified domain of it. Fails with `not-found`. */
  show(where: { readonly slug: string } | { readonly host: string }, kind: PageKind): Promise<string>;
}

export interface PageServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly pages: TenantStore<PageTemplate>;
  readonly tenants: Pick<TenantService, 'get' | 'findBySlug'>;
  readonly tenantOfDomain: (host: string) => Promise<string | undefined>;
  readonly branding: Pick<BrandingService, 'of' | 'get'>;
  readonly appUrlOf: (tenant: string) => Promise<string>;
  readonly audit: AuditLog;
  readonly cache: Cache;
}

/** What a browser may do with a page: show it, with pictures from https. Nothing runs and no form is sent. */
export const pagePolicy =
  "default-src 'none'; img-src https:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const button = (text: string, path: string): string =>
  `<p><a href="{{ appUrl }}${path}" style="background-color: {{ brand.colour }}; color: white; padding: 12px 24px; border-radius: 8px">${text}</a></p>`;
const heading = '<h1>{{ brand.name }}</h1>';

const builtIn: Readonly<Record<PageKind, PageTemplate>> = {
  'sign-in': { kind: 'sign-in', title: 'Sign in', body: `${heading}${button('Sign in', '/auth/sign-in')}` },
  invitation: {
    kind: 'invitation',
    title: 'Invitation',
    body: `${heading}<p>You are invited.</p>${button('Accept', '/auth/invitation')}`,
  },
  'not-found': { kind: 'not-found', title: 'Not found', body: `${heading}<p>There is nothing at this address.</p>` },
};

const kinds = Object.keys(builtIn).length;
const variables = new Set(['brand.name', 'brand.colour', 'brand.logoUrl', 'brand.footer', 'locale', 'appUrl']);
/** Seconds. */
const cacheFor = 30;
const maxAttempts = 10;
const absent = () => new OmniError('not-found', 'There is no such page.');

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const isKind = (kind: string): kind is PageKind => Object.hasOwn(builtIn, kind);

export const createPageService = (options: PageServiceOptions): PageService => {
  const { database, pages, tenants, tenantOfDomain, branding, appUrlOf, audit, cache } = options;
  const rendered = cache.reader(cacheFor, String);
  let loading: Promise<[Sandbox, Sanitise]> | undefined;
  const open = () => {
    loading ??= Promise.all([loadSandbox(), loadSanitiser()]);
    return loading;
  };

  /** The template's HTML is sanitised after it was rendered, so that data can't complete what a template begins. */
  const render = async (template: PageTemplate, brand: Branding, { id, settings: { locale } }: TenantView) => {
    const [sandbox, sanitise] = await open();
    const data = { brand, locale, appUrl: await appUrlOf(id) };
    const title = sandbox.compile(template.title, 'text', variables).render(data);
    const body = sanitise(sandbox.compile(template.body, 'html', variables).render(data));
    return `<!doctype html>
<html lang="${escaped(locale)}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title></head>
<body>${body}</body></html>
`;
  };

  const preview: PageService['preview'] = async (actor, template) =>
    render(template, await branding.get(actor), await tenants.get(actor.tenant));

  const write = (
    actor: Actor,
    action: string,
    kind: string,
    prepare: () => Promise<(transaction: Transaction) => void>,
  ) =>
    retrying(maxAttempts, async () => {
      const save = await prepare();
      await database
        .transaction(async (transaction) => {
          const target = { type: 'page-template', id: kind };
          await audit.record(transaction, actor, { action: `platform.page.${action}`, target, outcome: 'success' });
          save(transaction);
        })
        .catch((error: unknown) => {
          throw isOmniError(error, 'already-exists')
            ? new OmniError('revision-conflict', 'It was changed meanwhile.')
            : error;
        });
      await cache.delete(`page:${actor.tenant}:${kind}`);
    });

  const own = async (tenant: string, kind: string) => {
    const stored = isKind(kind) ? await pages.of(tenant).get(kind) : undefined;
    if (stored === undefined) throw absent();
    return stored;
  };

  const tenantAt = async (where: Parameters<PageService['show']>[0]): Promise<TenantView | undefined> => {
    if ('slug' in where) return tenants.findBySlug(where.slug);
    const id = await tenantOfDomain(where.host);
    return id === undefined ? undefined : tenants.get(id);
  };

  return {
    preview,
    list: async ({ tenant }) => {
      const { items } = await pages.of(tenant).query({ limit: kinds });
      return items.map(({ id, value }) => ({ ...value, id }));
    },
    get: async ({ tenant }, kind) => ({ ...(await own(tenant, kind)).value, id: kind }),
    put: async (actor, template) => {
      await preview(actor, template);
      const store = pages.of(actor.tenant);
      await write(actor, 'updated', template.kind, async () => {
        const there = await store.get(template.kind);
        return (transaction) => {
          if (there === undefined) transaction.create(store, template.kind, template);
          else transaction.update(store, template.kind, template, { revision: there.revision });
        };
      });
      return { ...template, id: template.kind };
    },
    remove: (actor, kind) =>
      write(actor, 'removed', kind, async () => {
        const { revision } = await own(actor.tenant, kind);
        return (transaction) => transaction.delete(pages.of(actor.tenant), kind, { revision });
      }),
    show: async (where, kind) => {
      const tenant = await tenantAt(where);
      if (tenant?.status !== 'active') throw absent();
      return rendered(`page:${tenant.id}:${kind}`, async () => {
        const template = (await pages.of(tenant.id).get(kind))?.value ?? builtIn[kind];
        const brand = await branding.of(tenant.id);
        // What rendered when it was saved may not with the branding of today: the built-in page always does.
        return render(template, brand, tenant).catch(() => render(builtIn[kind], brand, tenant));
      });
    },
  };
};
