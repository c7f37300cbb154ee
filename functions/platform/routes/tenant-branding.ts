import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { brandingSchema, templateSchema } from '#shared/messaging/index.ts';
import { brandingInputSchema } from '#shared/platform/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant';
const templates = `${path}/mail-templates`;
const read = { scopes: ['tenant:read'] };
const write = { scopes: ['tenant:write'] };
/** Bytes: the longest wording, escaped, and for no more. */
const maxBody = 500_000;

const template = z.object({ id: z.string(), template: templateSchema });

const getBranding = endpoint({
  method: 'get',
  path: `${path}/branding`,
  summary: 'Get how messages look',
  access: read,
  status: 200,
  response: brandingSchema,
});

const putBranding = endpoint({
  method: 'put',
  path: `${path}/branding`,
  summary: 'Set how messages look',
  description: 'Replaces all. Holds within 30 seconds.',
  access: { ...write, stepUp: sensitive },
  body: brandingInputSchema,
  status: 200,
  response: brandingSchema,
  errors: ['revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path: templates,
  summary: 'List your own wordings of messages',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(template),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${templates}/{id}`,
  summary: 'Get your own wording of a message',
  description: 'By channel, template and language: `email:invitation:de`. Not found where the built-in one holds.',
  access: read,
  params: idParams,
  status: 200,
  response: template,
  errors: ['not-found'],
});

const put = endpoint({
  method: 'put',
  path: templates,
  summary: 'Set your own wording of a message',
  description: 'In Liquid, without loops and files; HTML is escaped. It must render with sample data.',
  access: { ...write, stepUp: sensitive },
  maxBody,
  body: templateSchema,
  status: 200,
  response: template,
  errors: ['revision-conflict'],
});

const remove = endpoint({
  method: 'delete',
  path: `${templates}/{id}`,
  summary: 'Go back to the built-in wording',
  access: write,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const preview = endpoint({
  method: 'post',
  path: `${templates}/preview`,
  summary: 'See a wording with sample data',
  description: 'Nothing is kept and nothing is sent.',
  access: write,
  maxBody,
  body: templateSchema,
  status: 200,
  response: z.object({ subject: z.string(), text: z.string(), html: z.string() }),
});

export const tenantBranding = ({
  branding,
  mailTemplates,
}: Pick<PlatformServices, 'branding' | 'mailTemplates'>): Route[] => [
  handle(getBranding, ({ actor }) => branding.get(actor)),
  handle(putBranding, ({ actor, body }) => branding.put(actor, body)),
  handle(list, ({ actor, query }) => mailTemplates.list(actor, query)),
  handle(preview, ({ actor, body }) => mailTemplates.preview(actor, body)),
  handle(get, ({ actor, params }) => mailTemplates.get(actor, params.id)),
  handle(put, ({ actor, body }) => mailTemplates.put(actor, body)),
  handle(remove, async ({ actor, params }) => {
    await mailTemplates.remove(actor, params.id);
    return undefined;
  }),
];
