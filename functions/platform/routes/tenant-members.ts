import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { transferViewSchema } from '#shared/platform/index.ts';
import { roleNameSchema, userViewSchema } from '#shared/security/index.ts';
import type { PlatformServices } from '../services.ts';

const path = '/api/v1/tenant';
const maxBody = 16_384;
const read = { scopes: ['members:read'] };
const owner = { scopes: ['tenant:own'], person: true, stepUp: sensitive } as const;

const list = endpoint({
  method: 'get',
  path: `${path}/members`,
  summary: 'List members',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(userViewSchema),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/members/{id}`,
  summary: 'Get a member',
  access: read,
  params: idParams,
  status: 200,
  response: userViewSchema,
  errors: ['not-found'],
});

const setRoles = endpoint({
  method: 'put',
  path: `${path}/members/{id}/roles`,
  summary: "Set a member's roles",
  description: 'Neither the old nor the new ones may allow more than you may. The last owner stays one.',
  access: { scopes: ['roles:write'], stepUp: sensitive },
  params: idParams,
  body: z.strictObject({
    roles: z.array(roleNameSchema).max(50).meta({ description: 'All that they are to have.' }),
  }),
  status: 200,
  response: userViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const remove = endpoint({
  method: 'delete',
  path: `${path}/members/{id}`,
  summary: 'Remove a member',
  description: 'Deletes the account; its tokens are refused within a minute. The last owner stays.',
  access: { scopes: ['members:write'], stepUp: sensitive },
  params: idParams,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const leave = endpoint({
  method: 'post',
  path: `${path}/leave`,
  summary: 'Leave the tenant',
  description: 'Deletes your own account. The last owner can not leave.',
  access: { scopes: ['tenant:read'], person: true },
  confidential: true,
  maxBody,
  body: z.strictObject({
    confirm: z.string().max(100).meta({ description: "The tenant's slug, so that nobody does it by mistake." }),
  }),
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const offer = endpoint({
  method: 'post',
  path: `${path}/ownership-transfer`,
  summary: 'Offer ownership to a member',
  description: 'The first of two steps. The offer stands for 72 hours and takes the place of one before it.',
  access: owner,
  confidential: true,
  maxBody,
  body: z.strictObject({ to: idParams.shape.id.meta({ description: 'Id of the member.' }) }),
  status: 201,
  response: transferViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const withdraw = endpoint({
  method: 'delete',
  path: `${path}/ownership-transfer`,
  summary: 'Withdraw the offer of ownership',
  access: owner,
  status: 204,
});

const acceptOffer = endpoint({
  method: 'post',
  path: `${path}/ownership-transfer/accept`,
  summary: 'Accept the offer of ownership',
  description: 'The second step, by whom it was offered to. Who offered becomes an admin.',
  access: { scopes: ['tenant:read'], person: true },
  confidential: true,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

export const tenantMembers = ({ users, members }: Pick<PlatformServices, 'users' | 'members'>): Route[] => [
  handle(list, ({ actor, query }) => users.list(actor, query)),
  handle(get, ({ actor, params }) => users.get(actor, params.id)),
  handle(setRoles, ({ actor, params, body }) => users.setRoles(actor, params.id, body.roles)),
  handle(remove, async ({ actor, params }) => {
    await members.remove(actor, params.id);
    return undefined;
  }),
  handle(leave, async ({ actor, body }) => {
    await members.leave(actor, body.confirm);
    return undefined;
  }),
  handle(offer, ({ actor, body }) => members.offerOwnership(actor, body.to)),
  handle(withdraw, async ({ actor }) => {
    await members.withdrawOffer(actor);
    return undefined;
  }),
  handle(acceptOffer, async ({ actor }) => {
    await members.acceptOwnership(actor);
    return undefined;
  }),
];
