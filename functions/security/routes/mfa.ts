import * as z from 'zod';
import { clientOf } from '#shared/http/client.ts';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams } from '#shared/http/page.ts';
import {
  challengeSchema,
  challengeTokenSchema,
  codeSchema,
  factorNameSchema,
  factorViewSchema,
  mfaOverviewSchema,
  newTotpSchema,
  proofSchema,
  sentEnrolmentSchema,
  trustedDeviceViewSchema,
} from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';
import { locale } from './auth.ts';

const path = '/api/v1/mfa';
/** Everybody who is signed in may look after their own account, */
const own = { scopes: [], person: true } as const;
/** and proves who they are before they change what it is protected by. */
const ownSensitive = { ...own, stepUp: sensitive } as const;
/** Bytes: room for every field at its longest, and for no more. */
const maxBody = 32_768;

const overview = endpoint({
  method: 'get',
  path,
  summary: 'Get your second factors',
  access: own,
  status: 200,
  response: mfaOverviewSchema,
});

const beginTotp = endpoint({
  method: 'post',
  path: `${path}/totp`,
  summary: 'Begin to set up an authenticator app',
  description: 'It is a factor once its first code has confirmed it, within ten minutes. A person has at most five.',
  access: ownSensitive,
  confidential: true,
  status: 201,
  response: newTotpSchema,
  errors: ['precondition-failed'],
});

const confirmation = { enrolment: challengeTokenSchema, code: codeSchema };
const thenRefresh = 'Use the next refresh to get an access token that says so.';

const confirmTotp = endpoint({
  method: 'post',
  path: `${path}/totp/confirm`,
  summary: 'Confirm an authenticator app by its first code',
  description: `From now on a password alone does not sign you in. ${thenRefresh}`,
  access: own,
  confidential: true,
  maxBody,
  body: z.strictObject({ ...confirmation, name: factorNameSchema }),
  status: 201,
  response: factorViewSchema,
  errors: ['precondition-failed', 'revision-conflict', 'step-up-required'],
});

const beginPhone = endpoint({
  method: 'post',
  path: `${path}/phone`,
  summary: 'Begin to set up a phone number',
  description: 'Sends a code to it. It takes the place of the one before once the code has confirmed it.',
  access: ownSensitive,
  confidential: true,
  maxBody,
  body: z.strictObject({
    number: z
      .string()
      .regex(/^\+[1-9]\d{6,14}$/)
      .meta({ description: 'In the international form (E.164).', examples: ['+4930123456'] }),
    locale,
  }),
  status: 201,
  response: sentEnrolmentSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const beginMailbox = endpoint({
  method: 'post',
  path: `${path}/email`,
  summary: 'Begin to set up codes by mail',
  description: 'Sends a code to the address of your account.',
  access: ownSensitive,
  confidential: true,
  maxBody,
  body: z.strictObject({ locale }),
  status: 201,
  response: sentEnrolmentSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const confirmSent = (what: 'phone' | 'email', summary: string) =>
  endpoint({
    method: 'post',
    path: `${path}/${what}/confirm`,
    summary,
    description: thenRefresh,
    access: own,
    confidential: true,
    maxBody,
    body: z.strictObject(confirmation),
    status: 201,
    response: factorViewSchema,
    errors: ['revision-conflict', 'step-up-required'],
  });
const confirmPhone = confirmSent('phone', 'Confirm a phone number by the code');
const confirmMailbox = confirmSent('email', 'Confirm codes by mail by the first one');

const removeFactor = endpoint({
  method: 'delete',
  path: `${path}/factors/{id}`,
  summary: 'Remove one of your second factors',
  description: 'Passkeys are removed under `/api/v1/auth/passkeys`. The last factor takes the backup codes with it.',
  access: ownSensitive,
  params: idParams,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const makeCodes = endpoint({
  method: 'post',
  path: `${path}/backup-codes`,
  summary: 'Make new backup codes',
  description: 'Ten, each good once, shown this once. Those that there were are no longer good.',
  access: ownSensitive,
  confidential: true,
  status: 201,
  response: z.object({ codes: z.array(z.string()).readonly() }),
  errors: ['precondition-failed', 'revision-conflict'],
});

const listDevices = endpoint({
  method: 'get',
  path: `${path}/trusted-devices`,
  summary: 'List the devices that you trust',
  access: own,
  status: 200,
  response: z.object({ items: z.array(trustedDeviceViewSchema).readonly() }),
});

const revokeDevice = endpoint({
  method: 'delete',
  path: `${path}/trusted-devices/{id}`,
  summary: 'Trust a device no longer',
  access: own,
  params: idParams,
  status: 204,
  errors: ['not-found'],
});

const beginStepUp = endpoint({
  method: 'post',
  path: `${path}/step-up`,
  summary: 'Begin to prove once more who you are',
  description:
    'For calls that are refused with `step-up-required` (RFC 9470). Asks for a second factor, or for the password ' +
    'where there is none. Where `methods` is empty, sign in anew.',
  access: own,
  confidential: true,
  status: 201,
  response: challengeSchema,
});

const endStepUp = endpoint({
  method: 'post',
  path: `${path}/step-up/verify`,
  summary: 'Prove once more who you are',
  description: 'Answers with a new access token of the same session. Its refresh token stays as it is.',
  access: own,
  confidential: true,
  maxBody,
  body: z
    .strictObject({ challenge: challengeTokenSchema, proof: proofSchema })
    .meta({ examples: [{ challenge: 'omc_acme.q2f…', proof: { method: 'totp', code: '123456' } }] }),
  status: 200,
  response: z.object({ accessToken: z.string(), tokenType: z.literal('Bearer'), expiresIn: z.int() }),
  errors: ['revision-conflict'],
});

export const mfa = ({
  factors,
  trustedDevices,
  stepUp,
}: Pick<SecurityServices, 'factors' | 'trustedDevices' | 'stepUp'>): Route[] => [
  handle(overview, ({ actor }) => factors.overview(actor)),
  handle(beginTotp, ({ actor }) => factors.beginTotp(actor)),
  handle(confirmTotp, ({ actor, body, c }) => factors.confirmTotp(actor, body, clientOf(c))),
  handle(beginPhone, ({ actor, body }) => factors.beginPhone(actor, body.number, body.locale)),
  handle(beginMailbox, ({ actor, body }) => factors.beginMailbox(actor, body.locale)),
  handle(confirmPhone, ({ actor, body, c }) => factors.confirmSent(actor, 'phone', body, clientOf(c))),
  handle(confirmMailbox, ({ actor, body, c }) => factors.confirmSent(actor, 'mailbox', body, clientOf(c))),
  handle(removeFactor, async ({ actor, params, c }) => {
    await factors.remove(actor, params.id, clientOf(c));
    return undefined;
  }),
  handle(makeCodes, async ({ actor, c }) => ({ codes: await factors.makeBackupCodes(actor, clientOf(c)) })),
  handle(listDevices, async ({ actor }) => ({ items: await trustedDevices.list(actor) })),
  handle(revokeDevice, async ({ actor, params }) => {
    await trustedDevices.revoke(actor, params.id);
    return undefined;
  }),
  handle(beginStepUp, ({ actor }) => stepUp.begin(actor)),
  handle(endStepUp, ({ actor, body, c }) => stepUp.verify(actor, body.challenge, body.proof, clientOf(c))),
];
