import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  maxSecretLength,
  secretNameSchema,
  secretVersionStateSchema,
  secretViewSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/advanced-security/secrets';
const value = z.string().min(1).max(maxSecretLength).meta({ description: 'Stored encrypted, and never listed.' });
const version = z.coerce.number().int().min(0).max(1_000);
const nameParams = z.object({ name: secretNameSchema });
const versionParams = nameParams.extend({ version });

const create = endpoint({
  method: 'post',
  path,
  summary: 'Store a secret',
  description: 'As its first version. The answer says what is known of it without the value.',
  access: { scopes: ['secrets:write'] },
  confidential: true,
  body: z.strictObject({ name: secretNameSchema, value }),
  status: 201,
  response: secretViewSchema,
  errors: ['already-exists', 'precondition-failed', 'revision-conflict'],
});

const addVersion = endpoint({
  method: 'post',
  path: `${path}/{name}/versions`,
  summary: 'Add a version to a secret',
  description: 'It becomes the latest. The versions before it stay as they are until you disable or destroy them.',
  access: { scopes: ['secrets:write'] },
  confidential: true,
  params: nameParams,
  body: z.strictObject({ value }),
  status: 201,
  response: secretViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List secrets',
  description: 'By name, without values.',
  access: { scopes: ['secrets:read'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(secretViewSchema),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/{name}`,
  summary: 'Get a secret without its values',
  access: { scopes: ['secrets:read'] },
  params: nameParams,
  status: 200,
  response: secretViewSchema,
  errors: ['not-found'],
});

const reveal = endpoint({
  method: 'get',
  path: `${path}/{name}/versions/{version}/value`,
  summary: 'Reveal a value',
  description: 'Of one version, or of the newest that is enabled: `latest`.',
  access: { scopes: ['secrets:reveal'], stepUp: sensitive },
  confidential: true,
  params: nameParams.extend({ version: z.union([z.literal('latest'), version]) }),
  status: 200,
  response: z.object({ version: z.int(), value: z.string() }),
  errors: ['not-found', 'precondition-failed', 'shredded'],
});

const setState = endpoint({
  method: 'put',
  path: `${path}/{name}/versions/{version}/state`,
  summary: 'Enable, disable or destroy a version',
  description: 'What is disabled is not revealed until it is enabled again. What is destroyed is gone for good.',
  access: { scopes: ['secrets:write'], stepUp: sensitive },
  params: versionParams,
  body: z.strictObject({ state: secretVersionStateSchema }),
  status: 200,
  response: secretViewSchema,
  errors: ['not-found', 'revision-conflict', 'shredded'],
});

export const advancedSecuritySecrets = ({ secrets }: Pick<SecurityServices, 'secrets'>): Route[] => [
  handle(create, ({ actor, body }) => secrets.create(actor, body.name, body.value)),
  handle(addVersion, ({ actor, params, body }) => secrets.addVersion(actor, params.name, body.value)),
  handle(list, ({ actor, query }) => secrets.list(actor, query)),
  handle(getOne, ({ actor, params }) => secrets.get(actor, params.name)),
  handle(reveal, ({ actor, params, c }) => {
    c.header('cache-control', 'no-store');
    return secrets.reveal(actor, params.name, params.version === 'latest' ? undefined : params.version);
  }),
  handle(setState, ({ actor, params, body }) => secrets.setState(actor, params.name, params.version, body.state)),
];
