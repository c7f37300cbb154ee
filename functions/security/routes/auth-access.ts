import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  authSettingsInputSchema,
  authSettingsViewSchema,
  customRoleNameSchema,
  roleInputSchema,
  roleNameSchema,
  roleViewSchema,
  userViewSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/auth';
const roleParams = z.object({ name: customRoleNameSchema });

const listRoles = endpoint({
  method: 'get',
  path: `${path}/roles`,
  summary: 'List roles and what they allow',
  access: { scopes: ['roles:read'] },
  status: 200,
  response: z.object({ items: z.array(roleViewSchema).readonly() }),
});

const putRole = endpoint({
  method: 'put',
  path: `${path}/roles/{name}`,
  summary: 'Make or change a role',
  description: 'It may allow at most what you may. Who has it may do so within a minute.',
  access: { scopes: ['roles:write'], stepUp: sensitive },
  params: roleParams,
  body: roleInputSchema,
  status: 200,
  response: roleViewSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const removeRole = endpoint({
  method: 'delete',
  path: `${path}/roles/{name}`,
  summary: 'Remove a role',
  description: 'Who has it loses what it gave, within a minute.',
  access: { scopes: ['roles:write'], stepUp: sensitive },
  params: roleParams,
  status: 204,
});

const listUsers = endpoint({
  method: 'get',
  path: `${path}/users`,
  summary: 'List users',
  access: { scopes: ['users:read'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(userViewSchema),
  errors: ['invalid-cursor'],
});

const getUser = endpoint({
  method: 'get',
  path: `${path}/users/{id}`,
  summary: 'Get a user',
  access: { scopes: ['users:read'] },
  params: idParams,
  status: 200,
  response: userViewSchema,
  errors: ['not-found'],
});

const setRoles = endpoint({
  method: 'put',
  path: `${path}/users/{id}/roles`,
  summary: "Set a user's roles",
  description: 'Neither the old nor the new ones may allow more than you may.',
  access: { scopes: ['roles:write'], stepUp: sensitive },
  params: idParams,
  body: z.strictObject({
    roles: z.array(roleNameSchema).max(50).meta({ description: 'All that they are to have.' }),
  }),
  status: 200,
  response: userViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const setStatus = endpoint({
  method: 'put',
  path: `${path}/users/{id}/status`,
  summary: 'Disable a user, or let them in again',
  description: 'Disabling ends all their sessions.',
  access: { scopes: ['users:write'], stepUp: sensitive },
  params: idParams,
  body: z.strictObject({
    status: z.enum(['active', 'disabled']).meta({ description: 'Who is disabled can not sign in.' }),
  }),
  status: 200,
  response: userViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const getSettings = endpoint({
  method: 'get',
  path: `${path}/settings`,
  summary: 'Get how people sign in',
  access: { scopes: ['auth-settings:read'] },
  status: 200,
  response: authSettingsViewSchema,
});

const putSettings = endpoint({
  method: 'put',
  path: `${path}/settings`,
  summary: 'Set how people sign in',
  description:
    'Replaces all. A client secret that is left out stays, as long as its issuer does. Holds within a minute.',
  access: { scopes: ['auth-settings:write'], stepUp: sensitive },
  confidential: true,
  body: authSettingsInputSchema,
  status: 200,
  response: authSettingsViewSchema,
  errors: ['already-exists', 'revision-conflict'],
});

export const authAccess = ({
  roles,
  users,
  authSettings,
  sessions,
}: Pick<SecurityServices, 'roles' | 'users' | 'authSettings' | 'sessions'>): Route[] => [
  handle(listRoles, async ({ actor }) => ({ items: await roles.list(actor) })),
  handle(putRole, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return roles.put(actor, params.name, body);
  }),
  handle(removeRole, async ({ actor, params }) => {
    await sessions.requireLive(actor);
    await roles.remove(actor, params.name);
    return undefined;
  }),
  handle(listUsers, ({ actor, query }) => users.list(actor, query)),
  handle(getUser, ({ actor, params }) => users.get(actor, params.id)),
  handle(setRoles, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return users.setRoles(actor, params.id, body.roles);
  }),
  handle(setStatus, async ({ actor, params, body }) => {
    await sessions.requireLive(actor);
    return users.setStatus(actor, params.id, body.status);
  }),
  handle(getSettings, ({ actor }) => authSettings.view(actor)),
  handle(putSettings, async ({ actor, body }) => {
    await sessions.requireLive(actor);
    return authSettings.put(actor, body);
  }),
];
