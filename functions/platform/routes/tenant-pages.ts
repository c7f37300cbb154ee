import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams } from '#shared/http/page.ts';
import { pageKindSchema, pagePolicy, pageTemplateSchema } from '#shared/platform/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant';
const templates = `${path}/page-templates`;
const read = { scopes: ['tenant:read'] };
const write = { scopes: ['tenant:write'] };
/** Bytes: the longest page, escaped, and for no more. */
const maxBody = 400_000;
const template = z.object({ id: z.string(), ...pageTemplateSchema.shape }).meta({ id: 'StoredPageTemplate' });
const kind = pageKindSchema.meta({ description: 'Which page.' });

const list = endpoint({
  method: 'get',
  path: templates,
  summary: 'List your own pages',
  access: read,
  status: 200,
  response: z.object({ items: z.array(template).readonly() }),
});

const get = endpoint({
  method: 'get',
  path: `${templates}/{id}`,
  summary: 'Get your own page',
  access: read,
  params: idParams,
  status: 200,
  response: template,
  errors: ['not-found'],
});

const put = endpoint({
  method: 'put',
  path: templates,
  summary: 'Set your own page',
  description: 'In Liquid, without loops and files. Scripts, forms and what loads without https are taken out.',
  access: { ...write, stepUp: sensitive },
  maxBody,
  body: pageTemplateSchema,
  status: 200,
  response: template,
  errors: ['revision-conflict'],
});

const remove = endpoint({
  method: 'delete',
  path: `${templates}/{id}`,
  summary: 'Go back to the built-in page',
  access: write,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const preview = endpoint({
  method: 'post',
  path: `${templates}/preview`,
  summary: 'See a page with your branding',
  description: 'Nothing is kept.',
  access: write,
  maxBody,
  body: pageTemplateSchema,
  status: 200,
  response: z.object({ html: z.string() }),
});

const show = endpoint({
  method: 'get',
  path: `${path}/pages/{slug}/{kind}`,
  summary: 'Show a page of a tenant',
  description: 'By a slug, or by `-` for the verified domain that the request names in `Host`.',
  access: 'public',
  params: z.object({ slug: z.string().regex(/^(-|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])$/), kind }),
  status: 200,
  html: true,
  response: z.string(),
  errors: ['not-found'],
});

export const tenantPages = ({ pages }: Pick<PlatformServices, 'pages'>): Route[] => [
  handle(list, async ({ actor }) => ({ items: await pages.list(actor) })),
  handle(preview, async ({ actor, body }) => ({ html: await pages.preview(actor, body) })),
  handle(get, ({ actor, params }) => pages.get(actor, params.id)),
  handle(put, ({ actor, body }) => pages.put(actor, body)),
  handle(remove, async ({ actor, params }) => {
    await pages.remove(actor, params.id);
    return undefined;
  }),
  handle(show, ({ params, c }) => {
    c.header('content-security-policy', pagePolicy);
    const where = params.slug === '-' ? { host: new URL(c.req.url).hostname } : { slug: params.slug };
    return pages.show(where, params.kind);
  }),
];
