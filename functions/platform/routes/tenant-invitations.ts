import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { localeSchema } from '#shared/messaging/index.ts';
import { acceptedSchema, invitationViewSchema } from '#shared/platform/index.ts';
import { emailSchema, passwordSchema, personNameSchema, roleNameSchema } from '#shared/security/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant/invitations';
const maxBody = 16_384;
const read = { scopes: ['members:read'] };
const write = { scopes: ['members:write'] };

const invite = endpoint({
  method: 'post',
  path,
  summary: 'Invite somebody',
  description:
    'Sends a mail with a link that is good once, for 48 hours. An address that has an account or an invitation is ' +
    'refused openly: who may invite may list both.',
  access: { ...write, stepUp: sensitive },
  maxBody,
  body: z
    .strictObject({
      email: emailSchema,
      roles: z.array(roleNameSchema).min(1).max(50).meta({ description: 'All that the guest is to have.' }),
      locale: localeSchema.optional().meta({ description: 'The language of the mail (BCP 47).' }),
    })
    .meta({ examples: [{ email: 'grace@example.com', roles: ['member'] }] }),
  status: 201,
  response: invitationViewSchema,
  errors: ['already-exists', 'rate-limited', 'revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List invitations',
  description:
    'All that were neither accepted nor revoked, nor are over. Those that can not be accepted have the `status` `void`.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(invitationViewSchema),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get an invitation',
  access: read,
  params: idParams,
  status: 200,
  response: invitationViewSchema,
  errors: ['not-found'],
});

const resend = endpoint({
  method: 'post',
  path: `${path}/{id}/resend`,
  summary: 'Send an invitation again',
  description: 'With a new link, for another 48 hours. The one before is good no more.',
  access: write,
  params: idParams,
  status: 200,
  response: invitationViewSchema,
  errors: ['not-found', 'rate-limited', 'revision-conflict'],
});

const revoke = endpoint({
  method: 'delete',
  path: `${path}/{id}`,
  summary: 'Revoke an invitation',
  access: write,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const accept = endpoint({
  method: 'post',
  path: `${path}/accept`,
  summary: 'Accept an invitation by the link from the mail',
  description:
    'Opens an account with a verified address, or gives an account of this tenant the roles besides its own. Then sign ' +
    'in. An account that is there keeps its password and its name.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    token: z.string().min(1).max(200).meta({ description: 'From the link in the mail.' }),
    name: personNameSchema.optional(),
    password: passwordSchema.optional().meta({ description: 'Of a new account. Without one it is used by links.' }),
  }),
  status: 200,
  response: acceptedSchema,
  errors: ['unauthenticated', 'forbidden', 'precondition-failed', 'revision-conflict'],
});

export const tenantInvitations = ({ invitations }: Pick<PlatformServices, 'invitations'>): Route[] => [
  handle(invite, ({ actor, body }) => invitations.invite(actor, body)),
  handle(list, ({ actor, query }) => invitations.list(actor, query)),
  handle(accept, ({ body }) => invitations.accept(body)),
  handle(get, ({ actor, params }) => invitations.get(actor, params.id)),
  handle(resend, ({ actor, params }) => invitations.resend(actor, params.id)),
  handle(revoke, async ({ actor, params }) => {
    await invitations.revoke(actor, params.id);
    return undefined;
  }),
];
