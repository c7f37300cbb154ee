import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { apiKeyViewSchema, newApiKeySchema, serviceAccountViewSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const keys = '/api/v1/auth/api-keys';
const accounts = '/api/v1/auth/service-accounts';

const overlap = z.strictObject({
  overlap: z
    .int()
    .min(0)
    .max(30 * 24 * 3_600)
    .default(24 * 3_600)
    .meta({ description: 'Seconds for which the old one stays good.' }),
});
const keySecret = apiKeyViewSchema
  .extend({ key: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'ApiKeySecret' });
const clientSecret = serviceAccountViewSchema
  .extend({ clientSecret: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'ServiceAccountSecret' });

const listKeys = endpoint({
  method: 'get',
  path: keys,
  summary: 'List API keys',
  description: 'The newest first. `lastUsedAt` is kept to the hour.',
  access: { scopes: ['keys:read'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(apiKeyViewSchema),
  errors: ['invalid-cursor'],
});

const issueKey = endpoint({
  method: 'post',
  path: keys,
  summary: 'Issue an API key',
  description: 'It may do at most what you may.',
  access: { scopes: ['keys:write'], stepUp: sensitive },
  confidential: true,
  body: newApiKeySchema,
  status: 201,
  response: keySecret,
  errors: ['precondition-failed', 'revision-conflict'],
});

const rotateKey = endpoint({
  method: 'post',
  path: `${keys}/{id}/rotate`,
  summary: 'Replace an API key',
  description: 'One that is good, and replaces none that still is.',
  access: { scopes: ['keys:write'], stepUp: sensitive },
  confidential: true,
  params: idParams,
  body: overlap,
  status: 201,
  response: keySecret,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const revokeKey = endpoint({
  method: 'delete',
  path: `${keys}/{id}`,
  summary: 'Revoke an API key',
  description: 'It is refused everywhere within 30 seconds.',
  access: { scopes: ['keys:write'], stepUp: sensitive },
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const listAccounts = endpoint({
  method: 'get',
  path: accounts,
  summary: 'List service accounts',
  access: { scopes: ['service-accounts:read'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(serviceAccountViewSchema),
  errors: ['invalid-cursor'],
});

const makeAccount = endpoint({
  method: 'post',
  path: accounts,
  summary: 'Make a service account',
  description: 'It gets short access tokens for its client id and secret, and may do at most what you may.',
  access: { scopes: ['service-accounts:write'], stepUp: sensitive },
  confidential: true,
  body: newApiKeySchema
    .omit({ requestsPerMinute: true })
    .meta({ id: 'NewServiceAccount', examples: [{ name: 'importer', scopes: ['ai:predict'] }] }),
  status: 201,
  response: clientSecret,
  errors: ['precondition-failed', 'revision-conflict'],
});

const rotateAccount = endpoint({
  method: 'post',
  path: `${accounts}/{id}/rotate`,
  summary: "Replace a service account's secret",
  description: 'With an overlap of 0 the tokens it has are refused as well, within a minute.',
  access: { scopes: ['service-accounts:write'], stepUp: sensitive },
  confidential: true,
  params: idParams,
  body: overlap,
  status: 200,
  response: clientSecret,
  errors: ['not-found', 'revision-conflict'],
});

const removeAccount = endpoint({
  method: 'delete',
  path: `${accounts}/{id}`,
  summary: 'Remove a service account',
  description: 'Its tokens are refused within a minute.',
  access: { scopes: ['service-accounts:write'], stepUp: sensitive },
  params: idParams,
  status: 204,
  errors: ['not-found'],
});

export const authKeys = ({
  apiKeys,
  serviceAccounts,
  sessions,
}: Pick<SecurityServices, 'apiKeys' | 'serviceAccounts' | 'sessions'>): Route[] => [
  handle(listKeys, ({ actor, query }) => apiKeys.list(actor, query)),
  handle(issueKey, async ({ actor, body }) => {
    await sessions.requireLive(actor);
    return apiKeys.give(actor, body);
  }),
  handle(rotateKey, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return apiKeys.rotate(actor, params.id, body.overlap);
  }),
  handle(revokeKey, async ({ actor, params }) => {
    await apiKeys.revoke(actor, params.id);
    return undefined;
  }),
  handle(listAccounts, ({ actor, query }) => serviceAccounts.list(actor, query)),
  handle(makeAccount, async ({ actor, body }) => {
    await sessions.requireLive(actor);
    return serviceAccounts.create(actor, body);
  }),
  handle(rotateAccount, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return serviceAccounts.rotate(actor, params.id, body.overlap);
  }),
  handle(removeAccount, async ({ actor, params }) => {
    await serviceAccounts.remove(actor, params.id);
    return undefined;
  }),
];
