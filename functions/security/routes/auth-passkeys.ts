import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams } from '#shared/http/page.ts';
import {
  authenticationResponseSchema,
  ceremonySchema,
  passkeyViewSchema,
  registrationResponseSchema,
  signInResultSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';
import { tenantField } from './auth.ts';

const path = '/api/v1/auth/passkeys';
const own = { scopes: [], person: true } as const;
const ownSensitive = { ...own, stepUp: sensitive } as const;
/** Bytes: room for an attestation with its certificates. */
const maxBody = 65_536;

const flow = z.string().min(1).max(100).meta({ description: 'Of the ceremony that was begun.' });

const beginRegistration = endpoint({
  method: 'post',
  path: `${path}/registration/options`,
  summary: 'Begin to register a passkey',
  description: 'It becomes a second factor too: from then on a password alone does not sign you in.',
  access: ownSensitive,
  confidential: true,
  status: 200,
  response: ceremonySchema,
  errors: ['precondition-failed'],
});

const register = endpoint({
  method: 'post',
  path: `${path}/registration`,
  summary: 'Register a passkey',
  description: 'Use the next refresh to get an access token that says that you have shown it.',
  access: own,
  confidential: true,
  maxBody,
  body: z
    .strictObject({
      flow,
      name: z
        .string()
        .trim()
        .min(1)
        .max(100)
        .meta({ description: 'What you call it.', examples: ['My phone'] }),
      response: registrationResponseSchema.meta({ description: 'From the browser (WebAuthn, JSON form).' }),
    })
    .meta({
      examples: [
        {
          flow: 'Wq3…',
          name: 'My phone',
          response: {
            id: 'AbC…',
            rawId: 'AbC…',
            type: 'public-key',
            response: { clientDataJSON: 'eyJ…', attestationObject: 'o2N…', transports: ['internal'] },
          },
        },
      ],
    }),
  status: 201,
  response: passkeyViewSchema,
  errors: ['already-exists', 'precondition-failed', 'revision-conflict', 'step-up-required'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List your passkeys',
  access: own,
  status: 200,
  response: z.object({ items: z.array(passkeyViewSchema).readonly() }),
});

const remove = endpoint({
  method: 'delete',
  path: `${path}/{id}`,
  summary: 'Remove one of your passkeys',
  access: ownSensitive,
  params: idParams,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const beginSignIn = endpoint({
  method: 'post',
  path: `${path}/sign-in/options`,
  summary: 'Begin to sign in with a passkey',
  description: 'Names no account: the browser offers the passkeys that it has.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ tenant: tenantField }),
  status: 200,
  response: ceremonySchema,
  errors: ['precondition-failed'],
});

const signIn = endpoint({
  method: 'post',
  path: `${path}/sign-in`,
  summary: 'Sign in with a passkey',
  access: 'public',
  confidential: true,
  maxBody,
  body: z
    .strictObject({
      tenant: tenantField,
      flow,
      response: authenticationResponseSchema.meta({ description: 'From the browser (WebAuthn, JSON form).' }),
    })
    .meta({
      examples: [
        {
          tenant: 'acme',
          flow: 'Wq3…',
          response: {
            id: 'AbC…',
            rawId: 'AbC…',
            type: 'public-key',
            response: { clientDataJSON: 'eyJ…', authenticatorData: 'SZY…', signature: 'MEU…', userHandle: 'dXNy…' },
          },
        },
      ],
    }),
  status: 200,
  response: signInResultSchema,
  errors: ['unauthenticated'],
});

export const authPasskeys = ({ passkeys }: Pick<SecurityServices, 'passkeys'>): Route[] => [
  handle(beginRegistration, ({ actor }) => passkeys.beginRegistration(actor)),
  handle(register, ({ actor, body, c }) => passkeys.register(actor, body, clientOf(c))),
  handle(list, async ({ actor }) => ({ items: await passkeys.list(actor) })),
  handle(beginSignIn, ({ body }) => passkeys.beginSignIn(body.tenant)),
  handle(signIn, ({ body, c }) => passkeys.signIn(body, clientOf(c))),
  // Last: its pattern fits the paths above as well.
  handle(remove, async ({ actor, params, c }) => {
    await passkeys.remove(actor, params.id, clientOf(c));
    return undefined;
  }),
];
