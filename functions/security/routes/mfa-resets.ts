import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { factorResetViewSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/mfa/resets';

const request = endpoint({
  method: 'post',
  path,
  summary: 'Ask for a reset of somebody’s second factors',
  description:
    'For somebody who has lost them all; never for oneself. They are told by mail and can stop it. After the waiting ' +
    'period of the tenant’s policy their factors, sessions and trusted devices end, and they set up a new factor when ' +
    'they next sign in.',
  access: { scopes: ['mfa:reset'], person: true, stepUp: sensitive },
  confidential: true,
  body: z.strictObject({
    user: z.string().min(1).max(100).meta({ description: 'Id of the user.' }),
    reason: z
      .string()
      .trim()
      .min(1)
      .max(500)
      .meta({ description: 'For the audit log: how you know that it is them who ask.' }),
  }),
  status: 202,
  response: factorResetViewSchema,
  errors: ['not-found', 'already-exists', 'revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List resets of second factors',
  access: { scopes: ['mfa:reset'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(factorResetViewSchema),
  errors: ['invalid-cursor'],
});

const cancel = endpoint({
  method: 'post',
  path: `${path}/{id}/cancel`,
  summary: 'Stop a reset of second factors',
  description: 'For whose factors they are, and for who may ask for resets.',
  access: { scopes: [], person: true },
  confidential: true,
  params: idParams,
  status: 200,
  response: factorResetViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const cancelByLink = endpoint({
  method: 'post',
  path: `${path}/cancel`,
  summary: 'Stop a reset by the link from the mail',
  access: 'public',
  confidential: true,
  maxBody: 16_384,
  body: z.strictObject({ token: z.string().min(1).max(200).meta({ description: 'From the link in the mail.' }) }),
  status: 204,
  errors: ['unauthenticated', 'revision-conflict'],
});

export const mfaResets = ({ factorResets }: Pick<SecurityServices, 'factorResets'>): Route[] => [
  handle(request, ({ actor, body }) => factorResets.request(actor, body.user, body.reason)),
  handle(list, ({ actor, query }) => factorResets.list(actor, query)),
  handle(cancelByLink, async ({ body }) => {
    await factorResets.cancelByLink(body.token);
    return undefined;
  }),
  handle(cancel, ({ actor, params }) => factorResets.cancel(actor, params.id)),
];
