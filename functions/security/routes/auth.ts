import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import {
  deviceTokenSchema,
  emailSchema,
  passwordSchema,
  personNameSchema,
  signInResultSchema,
  tokensSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/auth';
/** Bytes: room for every field at its longest, and for no more. */
const maxBody = 16_384;

export const tenantField = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/)
  .meta({ description: 'The tenant that the account is in.', examples: ['acme'] });
export const linkToken = z.string().min(1).max(200).meta({ description: 'From the link in the mail.' });
export const locale = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/)
  .optional()
  .meta({ description: 'The language of the mail (BCP 47).', examples: ['de'] });

const signUp = endpoint({
  method: 'post',
  path: `${path}/sign-up`,
  summary: 'Ask for an account',
  description:
    'Answers alike whether or not the address has an account, and sends a mail: to a new address a link that opens ' +
    'the account, to a known one a link that signs in. Without a password the account is used by links and passkeys.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    tenant: tenantField,
    email: emailSchema,
    password: passwordSchema.optional(),
    name: personNameSchema.optional(),
    locale,
  }),
  status: 202,
  errors: ['forbidden', 'revision-conflict'],
});

const verify = endpoint({
  method: 'post',
  path: `${path}/email/verify`,
  summary: 'Open an account by the link from the mail, and sign in',
  description:
    'With the password of the sign-up that sent the link, where there was one: the link alone is not enough. Guesses ' +
    'have the attempts that sign-ins have.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ token: linkToken, password: passwordSchema.optional(), deviceToken: deviceTokenSchema }),
  status: 200,
  response: signInResultSchema,
  errors: ['unauthenticated', 'revision-conflict'],
});

const signIn = endpoint({
  method: 'post',
  path: `${path}/sign-in`,
  summary: 'Sign in with a password',
  description:
    'Whatever was wrong, the refusal is the same. Where a second factor is asked for, the answer says so instead of ' +
    'giving tokens.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    tenant: tenantField,
    email: emailSchema,
    password: passwordSchema,
    deviceToken: deviceTokenSchema,
  }),
  status: 200,
  response: signInResultSchema,
  errors: ['unauthenticated'],
});

const requestMagicLink = endpoint({
  method: 'post',
  path: `${path}/magic-link`,
  summary: 'Ask for a link that signs in',
  description: 'Answers alike whether or not there is an account. The link is good once, for 15 minutes.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ tenant: tenantField, email: emailSchema, locale }),
  status: 202,
});

const signInByLink = endpoint({
  method: 'post',
  path: `${path}/magic-link/sign-in`,
  summary: 'Sign in with a link',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ token: linkToken, deviceToken: deviceTokenSchema }),
  status: 200,
  response: signInResultSchema,
  errors: ['unauthenticated', 'revision-conflict'],
});

const refresh = endpoint({
  method: 'post',
  path: `${path}/refresh`,
  summary: 'Get the next tokens',
  description:
    'A refresh token is good once. One that comes again ends the session, because two hold it. A client that has not ' +
    'got the answer may repeat the request within ten seconds with the same `requestId`, and gets the same answer.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    refreshToken: z.string().min(1).max(300).meta({ description: 'The last one that was answered.' }),
    requestId: z
      .string()
      .regex(/^[\w-]{16,64}$/)
      .optional()
      .meta({ description: 'Random, new for every refresh, the same when it is repeated.' }),
  }),
  status: 200,
  response: tokensSchema,
  errors: ['unauthenticated', 'revision-conflict'],
});

const requestReset = endpoint({
  method: 'post',
  path: `${path}/password/forgot`,
  summary: 'Ask for a link to set a new password',
  description: 'Answers alike whether or not there is an account. The link is good once, for 30 minutes.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ tenant: tenantField, email: emailSchema, locale }),
  status: 202,
});

const reset = endpoint({
  method: 'post',
  path: `${path}/password/reset`,
  summary: 'Set a new password by the link from the mail',
  description: 'Ends all sessions. Sign in with the new password then.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ token: linkToken, password: passwordSchema }),
  status: 204,
  errors: ['unauthenticated', 'revision-conflict'],
});

const token = endpoint({
  method: 'post',
  path: `${path}/token`,
  summary: 'Get an access token for a service account',
  description: 'The client credentials grant of OAuth 2.0 (RFC 6749, section 4.4), with a JSON body.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    grant_type: z.literal('client_credentials').meta({ description: 'The only grant there is.' }),
    client_id: z.string().min(1).max(120).meta({ description: '`clientId` of the service account.' }),
    client_secret: z.string().min(1).max(100).meta({ description: 'Shown when it was made or rotated.' }),
  }),
  status: 200,
  response: z.object({ access_token: z.string(), token_type: z.literal('Bearer'), expires_in: z.int() }),
  errors: ['unauthenticated'],
});

const jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  alg: z.literal('EdDSA'),
  use: z.literal('sig'),
  kid: z.string(),
  x: z.string(),
});

const jwks = endpoint({
  method: 'get',
  path: `${path}/.well-known/jwks.json`,
  summary: 'Get the keys that access tokens are signed with',
  description: 'A JSON Web Key Set (RFC 7517). A key is in it before it signs, and until its last token has expired.',
  access: 'public',
  status: 200,
  response: z.object({ keys: z.array(jwk).readonly() }),
});

export const auth = ({
  signUps,
  accounts,
  signIns,
  sessions,
  serviceAccounts,
  signingKeys,
}: Pick<
  SecurityServices,
  'signUps' | 'accounts' | 'signIns' | 'sessions' | 'serviceAccounts' | 'signingKeys'
>): Route[] => [
  handle(signUp, async ({ body, c }) => {
    await signUps.signUp(body, clientOf(c));
    return undefined;
  }),
  handle(verify, async ({ body, c }) => {
    const device = clientOf(c);
    const opened = await signUps.verifyEmail(body.token, body.password, device);
    return signIns.finish({ ...opened, device, deviceToken: body.deviceToken });
  }),
  handle(signIn, ({ body, c }) => signIns.withPassword(body, clientOf(c))),
  handle(requestMagicLink, async ({ body, c }) => {
    await signUps.requestLink({ ...body, purpose: 'sign-in' }, clientOf(c));
    return undefined;
  }),
  handle(signInByLink, ({ body, c }) => signIns.withLink(body.token, clientOf(c), body.deviceToken)),
  handle(refresh, ({ body }) => sessions.refresh(body.refreshToken, body.requestId)),
  handle(requestReset, async ({ body, c }) => {
    await signUps.requestLink({ ...body, purpose: 'password-reset' }, clientOf(c));
    return undefined;
  }),
  handle(reset, async ({ body, c }) => {
    await accounts.resetPassword(body.token, body.password, clientOf(c));
    return undefined;
  }),
  handle(token, async ({ body }) => {
    const issued = await serviceAccounts.token({ clientId: body.client_id, clientSecret: body.client_secret });
    return { access_token: issued.accessToken, token_type: issued.tokenType, expires_in: issued.expiresIn };
  }),
  handle(jwks, async () => ({ keys: await signingKeys.published() })),
];
