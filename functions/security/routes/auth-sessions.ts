import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { emailSchema, passwordSchema, sessionViewSchema, userViewSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';
import { linkToken } from './auth.ts';

const path = '/api/v1/auth';
/** Everybody who is signed in may look after their own account. */
const own = { scopes: [], person: true } as const;
const ownSensitive = { ...own, stepUp: sensitive } as const;
const maxBody = 16_384;

const me = endpoint({
  method: 'get',
  path: `${path}/me`,
  summary: 'Get the account that is signed in',
  access: own,
  status: 200,
  response: userViewSchema,
});

const signOut = endpoint({
  method: 'post',
  path: `${path}/sign-out`,
  summary: 'End the session',
  description: 'Its access token is refused within a minute, its refresh token at once.',
  access: own,
  confidential: true,
  status: 204,
});

const list = endpoint({
  method: 'get',
  path: `${path}/sessions`,
  summary: 'List your sessions',
  description: 'The live ones, the newest first. A page may be short while there are more.',
  access: own,
  query: pageQuery,
  status: 200,
  response: pageSchema(sessionViewSchema),
  errors: ['invalid-cursor'],
});

const revoke = endpoint({
  method: 'delete',
  path: `${path}/sessions/{id}`,
  summary: 'End one of your sessions',
  access: own,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

const revokeOthers = endpoint({
  method: 'post',
  path: `${path}/sessions/revoke-others`,
  summary: 'End all your sessions but this one',
  description: 'Links that are under way in mails end too. Use the next refresh to get a new access token.',
  access: own,
  confidential: true,
  status: 204,
  errors: ['revision-conflict'],
});

const changePassword = endpoint({
  method: 'post',
  path: `${path}/password/change`,
  summary: 'Change your password',
  description: 'Ends all your other sessions. Use the next refresh to get a new access token.',
  access: ownSensitive,
  confidential: true,
  maxBody,
  body: z.strictObject({
    current: passwordSchema.optional().meta({ description: 'Left out where the account has no password yet.' }),
    password: passwordSchema,
  }),
  status: 204,
  errors: ['revision-conflict'],
});

const changeEmail = endpoint({
  method: 'post',
  path: `${path}/email/change`,
  summary: 'Ask to change your address',
  description: 'Sends a link to the new address, good once, for an hour. Until then nothing changes.',
  access: ownSensitive,
  confidential: true,
  maxBody,
  body: z.strictObject({ email: emailSchema, password: passwordSchema.optional() }),
  status: 202,
  errors: ['rate-limited'],
});

const confirmEmail = endpoint({
  method: 'post',
  path: `${path}/email/confirm`,
  summary: 'Change the address by the link from the mail',
  description: 'The old address is told.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ token: linkToken }),
  status: 204,
  errors: ['unauthenticated', 'already-exists', 'revision-conflict'],
});

export const authSessions = ({
  users,
  sessions,
  accounts,
}: Pick<SecurityServices, 'users' | 'sessions' | 'accounts'>): Route[] => [
  handle(me, async ({ actor }) => {
    await sessions.current(actor);
    return users.get(actor, actor.id);
  }),
  handle(signOut, async ({ actor }) => {
    await sessions.signOut(actor);
    return undefined;
  }),
  handle(list, ({ actor, query }) => sessions.list(actor, query)),
  handle(revokeOthers, async ({ actor }) => {
    await sessions.revokeOthers(actor);
    return undefined;
  }),
  handle(revoke, async ({ actor, params }) => {
    await sessions.revoke(actor, params.id);
    return undefined;
  }),
  handle(changePassword, async ({ actor, body, c }) => {
    await accounts.changePassword(actor, { current: body.current, next: body.password }, clientOf(c));
    return undefined;
  }),
  handle(changeEmail, async ({ actor, body, c }) => {
    await accounts.requestEmailChange(actor, body.email, body.password, clientOf(c));
    return undefined;
  }),
  handle(confirmEmail, async ({ body, c }) => {
    await accounts.confirmEmailChange(body.token, clientOf(c));
    return undefined;
  }),
];
