import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { pageQuery, pageSchema } from '#shared/http/page.ts';
import { customDomainViewSchema } from '#shared/platform/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant/domains';
const read = { scopes: ['tenant:read'] };
const write = { scopes: ['tenant:write'] };
const params = z.object({
  domain: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-z0-9.-]+$/),
});

const view = customDomainViewSchema.extend({ id: z.string() }).meta({ id: 'TenantDomain' });
const withId = <T extends { readonly domain: string }>(domain: T) => ({ ...domain, id: domain.domain });

const claim = endpoint({
  method: 'post',
  path,
  summary: 'Claim a domain',
  description:
    'Put the TXT record of the answer into DNS. It is looked for at growing intervals, for seven days. Until it is found ' +
    'the claim gives nothing, and others may claim the domain too.',
  access: { ...write, stepUp: sensitive },
  body: z.strictObject({ domain: z.string().min(3).max(253) }).meta({ examples: [{ domain: 'login.example.com' }] }),
  status: 201,
  response: view,
  errors: ['already-exists', 'precondition-failed', 'revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List domains',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(view),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/{domain}`,
  summary: 'Get a domain',
  access: read,
  params,
  status: 200,
  response: view,
  errors: ['not-found'],
});

const verify = endpoint({
  method: 'post',
  path: `${path}/{domain}/verify`,
  summary: 'Look for the proof of a domain now',
  access: write,
  params,
  status: 200,
  response: view,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const remove = endpoint({
  method: 'delete',
  path: `${path}/{domain}`,
  summary: 'Remove a domain',
  access: { ...write, stepUp: sensitive },
  params,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

export const tenantDomains = ({ domains }: Pick<PlatformServices, 'domains'>): Route[] => [
  handle(claim, async ({ actor, body }) => withId(await domains.claim(actor, body.domain))),
  handle(list, async ({ actor, query }) => {
    const page = await domains.list(actor, query);
    return { ...page, items: page.items.map(withId) };
  }),
  handle(get, async ({ actor, params: { domain } }) => withId(await domains.get(actor, domain))),
  handle(verify, async ({ actor, params: { domain } }) => withId(await domains.verify(actor, domain))),
  handle(remove, async ({ actor, params: { domain } }) => {
    await domains.remove(actor, domain);
    return undefined;
  }),
];
