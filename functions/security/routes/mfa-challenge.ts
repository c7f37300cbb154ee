import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import type { HttpContext } from '#shared/http/context.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import {
  challengeTokenSchema,
  codeSchema,
  enrolmentSchema,
  factorNameSchema,
  mfaSignInSchema,
  proofSchema,
  registrationResponseSchema,
  sentCodeSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';
import { locale } from './auth.ts';

const path = '/api/v1/mfa/challenge';
/** Bytes: room for an attestation with its certificates. */
const maxBody = 65_536;
const challenge = challengeTokenSchema;

const send = endpoint({
  method: 'post',
  path: `${path}/send`,
  summary: 'Send a code for a challenge',
  description:
    'Of a sign-in, or of the session in which it is called. Six digits, good for as long as the challenge; a new one ' +
    'takes the place of the one before. At most three for a challenge, 30 seconds apart.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    challenge,
    method: z.enum(['sms', 'email']).meta({ description: 'One of the methods of the challenge.' }),
    locale,
  }),
  status: 200,
  response: sentCodeSchema,
  errors: ['unauthenticated', 'precondition-failed', 'revision-conflict'],
});

const passkey = endpoint({
  method: 'post',
  path: `${path}/passkey`,
  summary: 'Begin to answer a challenge with a passkey',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({ challenge }),
  status: 200,
  response: z.object({
    options: z.record(z.string(), z.unknown()).meta({ description: 'For the browser (WebAuthn, JSON form).' }),
  }),
  errors: ['unauthenticated', 'precondition-failed', 'revision-conflict'],
});

const verify = endpoint({
  method: 'post',
  path: `${path}/verify`,
  summary: 'Answer a challenge, and sign in',
  description:
    'A challenge takes five wrong answers. After every fifth wrong code in a row, over all challenges, no code is taken ' +
    'for a while. With `trustDevice` the answer has a `deviceToken`, where the tenant allows it: sent with the next ' +
    'sign-ins, it takes the place of the second factor.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z
    .strictObject({ challenge, proof: proofSchema, trustDevice: z.boolean().default(false) })
    .meta({ examples: [{ challenge: 'omc_acme.q2f…', proof: { method: 'totp', code: '123456' }, trustDevice: true }] }),
  status: 200,
  response: mfaSignInSchema,
  errors: ['unauthenticated', 'revision-conflict'],
});

const enrol = endpoint({
  method: 'post',
  path: `${path}/enrolment`,
  summary: 'Begin to set up the factor that is missing',
  description: 'For a challenge whose `enrolment` is true.',
  access: 'public',
  confidential: true,
  maxBody,
  body: z.strictObject({
    challenge,
    method: z.enum(['totp', 'passkey']).meta({ description: 'One of the methods of the challenge.' }),
  }),
  status: 200,
  response: enrolmentSchema,
  errors: ['unauthenticated', 'precondition-failed', 'revision-conflict'],
});

const confirmEnrolment = endpoint({
  method: 'post',
  path: `${path}/enrolment/confirm`,
  summary: 'Set up the factor that is missing, and sign in',
  access: 'public',
  confidential: true,
  maxBody,
  body: z
    .strictObject({
      challenge,
      factor: z.discriminatedUnion('method', [
        z.strictObject({ method: z.literal('totp'), name: factorNameSchema, code: codeSchema }),
        z.strictObject({ method: z.literal('passkey'), name: factorNameSchema, response: registrationResponseSchema }),
      ]),
    })
    .meta({
      examples: [{ challenge: 'omc_acme.q2f…', factor: { method: 'totp', name: 'My phone', code: '123456' } }],
    }),
  status: 200,
  response: mfaSignInSchema,
  errors: ['unauthenticated', 'already-exists', 'precondition-failed', 'revision-conflict'],
});

/** The session in which it is called, where it is called in one. */
const sessionOf = (c: HttpContext): string | undefined => c.get('principal')?.actor.session;

type Services = Pick<SecurityServices, 'sendCode' | 'mfaChallenges' | 'enrolments'>;

export const mfaChallenge = ({ sendCode, mfaChallenges, enrolments }: Services): Route[] => [
  handle(send, ({ body: { challenge: token, ...request }, c }) =>
    sendCode(token, { ...request, session: sessionOf(c) }),
  ),
  handle(passkey, async ({ body, c }) => ({
    options: await mfaChallenges.passkeyOptions(body.challenge, sessionOf(c)),
  })),
  handle(verify, ({ body: { challenge: token, proof, trustDevice }, c }) =>
    mfaChallenges.verify(token, proof, { trustDevice, device: clientOf(c) }),
  ),
  handle(enrol, ({ body }) => enrolments.begin(body.challenge, body.method)),
  handle(confirmEnrolment, ({ body, c }) => enrolments.confirm(body.challenge, body.factor, clientOf(c))),
];
