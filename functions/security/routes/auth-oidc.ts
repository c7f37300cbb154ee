import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { deviceTokenSchema, providerNameSchema, signInResultSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';
import { tenantField } from './auth.ts';

const path = '/api/v1/auth/oidc/{provider}';
const maxBody = 16_384;
const params = z.object({ provider: providerNameSchema });

const begin = endpoint({
  method: 'post',
  path: `${path}/start`,
  summary: 'Begin to sign in at an identity provider',
  description:
    'Send the browser to `authorizationUrl`, and keep `flow` in it: only who began can finish. The provider sends it ' +
    'back to `redirectUri`, which must be among the redirects of the tenant’s security policy.',
  access: 'public',
  confidential: true,
  maxBody,
  params,
  body: z.strictObject({
    tenant: tenantField,
    redirectUri: z.string().min(1).max(500).meta({ description: 'A page of your app, character by character.' }),
  }),
  status: 200,
  response: z.object({ authorizationUrl: z.string(), flow: z.string() }),
  errors: ['not-found'],
});

const finish = endpoint({
  method: 'post',
  path: `${path}/callback`,
  summary: 'Sign in with what the provider answered',
  access: 'public',
  confidential: true,
  maxBody,
  params,
  body: z.strictObject({
    tenant: tenantField,
    flow: z.string().min(1).max(100).meta({ description: 'From the start.' }),
    parameters: z
      .string()
      .min(1)
      .max(8_000)
      .meta({ description: 'The query that the browser came back with, as it is.', examples: ['code=…&state=…'] }),
    deviceToken: deviceTokenSchema,
  }),
  status: 200,
  response: signInResultSchema,
  errors: ['unauthenticated', 'not-found'],
});

export const authOidc = ({ oidc }: Pick<SecurityServices, 'oidc'>): Route[] => [
  handle(begin, ({ params: { provider }, body }) => oidc.begin({ provider, ...body })),
  handle(finish, ({ params: { provider }, body, c }) => oidc.finish({ provider, ...body }, clientOf(c))),
];
