import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { keyRingViewSchema, keyRotationViewSchema, ringNameSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/advanced-security';
const rotationParams = z.object({
  id: z
    .string()
    .regex(/^[\w~-]{1,60}$/)
    .meta({ description: 'Key and version.', examples: ['fields~3'] }),
});
const purpose = z
  .string()
  .regex(/^[\w.:/-]{1,100}$/)
  .meta({ description: 'What it is for. Only the same purpose decrypts it.', examples: ['billing/bank-account'] });
const subject = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\w:@.-]+$/)
  .meta({ description: 'Your id of the person whose data it is.', examples: ['user-4711'] });
/** Of UTF-16 code units. */
const maxValue = 65_536;

const listKeys = endpoint({
  method: 'get',
  path: `${path}/keys`,
  summary: 'List encryption keys',
  description: 'Their versions and what becomes of those; never the keys themselves.',
  access: { scopes: ['encryption:read'] },
  status: 200,
  response: z.object({ items: z.array(keyRingViewSchema).readonly() }),
});

const rotate = endpoint({
  method: 'post',
  path: `${path}/keys/{name}/rotate`,
  summary: 'Rotate an encryption key',
  description:
    'A new version encrypts from now on. What Omni stores is put under it in the background; older versions still ' +
    'decrypt until they are retired. What you keep yourself stays under the version that it was encrypted with.',
  access: { scopes: ['encryption:rotate'] },
  params: z.object({ name: ringNameSchema }),
  status: 202,
  response: keyRotationViewSchema,
  errors: ['precondition-failed', 'revision-conflict'],
});

const getRotation = endpoint({
  method: 'get',
  path: `${path}/key-rotations/{id}`,
  summary: 'Follow a rotation',
  access: { scopes: ['encryption:read'] },
  params: rotationParams,
  status: 200,
  response: keyRotationViewSchema,
  errors: ['not-found'],
});

const retire = endpoint({
  method: 'post',
  path: `${path}/key-rotations/{id}/retire`,
  summary: 'Destroy the versions before a rotation',
  description:
    'For good. Possible five minutes after a rotation, once it is `renewed`. Stored documents are looked through once ' +
    'more, and nothing is destroyed while one of them needs an old version. **What you keep yourself (`values`) and ' +
    'encrypted under an older version is lost.**',
  access: { scopes: ['encryption:destroy'], stepUp: sensitive },
  params: rotationParams,
  status: 202,
  response: keyRotationViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const encrypt = endpoint({
  method: 'post',
  path: `${path}/values/encrypt`,
  summary: 'Encrypt a value that you keep yourself',
  description:
    'With AES-256-GCM under a key of your tenant, or of one person where `subject` says whose it is. The purpose is ' +
    'bound into the ciphertext, so that it cannot be passed off as something else.',
  access: { scopes: ['encryption:encrypt'] },
  confidential: true,
  body: z.strictObject({
    purpose,
    value: z.string().max(maxValue).meta({ description: 'Any text.' }),
    subject: subject.optional(),
  }),
  status: 200,
  response: z.object({ ciphertext: z.string().meta({ examples: ['enc1.values~1.q2f…'] }) }),
  errors: ['shredded'],
});

const decrypt = endpoint({
  method: 'post',
  path: `${path}/values/decrypt`,
  summary: 'Decrypt a value',
  access: { scopes: ['encryption:decrypt'] },
  confidential: true,
  body: z.strictObject({ purpose, ciphertext: z.string().max(300_000).meta({ description: 'As it was given out.' }) }),
  status: 200,
  response: z.object({ value: z.string() }),
  errors: ['shredded'],
});

const shred = endpoint({
  method: 'delete',
  path: `${path}/subjects/{subject}`,
  summary: "Destroy one person's key",
  description:
    'For good: whatever is encrypted under it, here or with you, can be read by nobody any more, within a minute. ' +
    'Where it is stored here it reads as `{"shredded": true}`. No new key is ever made for that person.',
  access: { scopes: ['encryption:destroy'], stepUp: sensitive },
  params: z.object({ subject }),
  status: 204,
  errors: ['revision-conflict'],
});

type Services = Pick<SecurityServices, 'keyRotations' | 'values'>;

export const advancedSecurity = ({ keyRotations, values }: Services): Route[] => [
  handle(listKeys, async ({ actor }) => ({ items: await keyRotations.list(actor) })),
  handle(rotate, ({ actor, params }) => keyRotations.rotate(actor, params.name)),
  handle(getRotation, ({ actor, params }) => keyRotations.get(actor, params.id)),
  handle(retire, ({ actor, params }) => keyRotations.retire(actor, params.id)),
  handle(encrypt, ({ actor, body }) => values.encrypt(actor, body)),
  handle(decrypt, ({ actor, body }) => values.decrypt(actor, body.purpose, body.ciphertext)),
  handle(shred, async ({ actor, params }) => {
    await keyRotations.shred(actor, params.subject);
    return undefined;
  }),
];
