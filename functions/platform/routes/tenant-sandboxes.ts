import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { tenantNameSchema, tenantViewSchema } from '#shared/platform/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant/sandboxes';
const write = { scopes: ['tenant:write'] };

const list = endpoint({
  method: 'get',
  path,
  summary: 'List sandboxes',
  access: { scopes: ['tenant:read'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(tenantViewSchema),
  errors: ['invalid-cursor'],
});

const create = endpoint({
  method: 'post',
  path,
  summary: 'Make a sandbox',
  description: 'A tenant of its own, with data of its own, in which payments are tests. It counts until it is erased.',
  access: write,
  body: z.strictObject({ name: tenantNameSchema }).meta({ examples: [{ name: 'Trying things out' }] }),
  status: 201,
  response: tenantViewSchema,
  errors: ['already-exists', 'precondition-failed', 'revision-conflict'],
});

const giveKey = endpoint({
  method: 'post',
  path: `${path}/{id}/keys`,
  summary: 'Issue an API key of a sandbox',
  description: 'It may do there what you may do here. It is shown this once.',
  access: { ...write, stepUp: sensitive },
  confidential: true,
  params: idParams,
  status: 201,
  response: z.object({ id: z.string(), key: z.string() }),
  errors: ['not-found', 'precondition-failed'],
});

const remove = endpoint({
  method: 'delete',
  path: `${path}/{id}`,
  summary: 'Delete a sandbox',
  description: 'It is refused within 30 seconds, and erased within two hours.',
  access: { ...write, stepUp: sensitive },
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

export const tenantSandboxes = ({ sandboxes }: Pick<PlatformServices, 'sandboxes'>): Route[] => [
  handle(list, ({ actor, query }) => sandboxes.list(actor, query)),
  handle(create, ({ actor, body }) => sandboxes.create(actor, body)),
  handle(giveKey, ({ actor, params }) => sandboxes.giveKey(actor, params.id)),
  handle(remove, async ({ actor, params }) => {
    await sandboxes.remove(actor, params.id);
    return undefined;
  }),
];
