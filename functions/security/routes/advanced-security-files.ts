import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { confidenceSchema, findingSchema, storedFileViewSchema } from '#shared/security/index.ts';
import type { SecurityServices } from '../services.ts';

const path = '/api/v1/advanced-security';
const file = z
  .string()
  .max(500)
  .regex(/^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/, 'Must be a relative path, no part of which begins with a dot')
  .meta({ description: "A path among your tenant's files.", examples: ['imports/customers.csv'] });
const minConfidence = confidenceSchema.default('medium');
/** Of UTF-16 code units. */
const maxText = 500_000;
const maxTextBody = 2 * 1024 * 1024;
/** Bytes of one upload: what Cloud Storage takes in one request. */
const maxUpload = 5 * 1024 ** 4;

const result = z.object({
  findings: z.array(findingSchema).readonly().meta({ description: 'In order of place, 1,000 at most.' }),
  truncated: z.boolean().meta({ description: 'There are more.' }),
});

const scanText = endpoint({
  method: 'post',
  path: `${path}/scan/text`,
  summary: 'Look for secrets and personal data in a text',
  description:
    'Cards, IBANs, addresses, phone numbers, national ids by their check digits, and keys and tokens by their form. ' +
    'The text is neither stored nor logged.',
  access: { scopes: ['files:scan'] },
  confidential: true,
  maxBody: maxTextBody,
  body: z.strictObject({
    text: z.string().max(maxText).meta({ description: 'What to look through.' }),
    minConfidence,
    redact: z.boolean().default(false).meta({ description: 'Give the text back with every finding taken out.' }),
  }),
  status: 200,
  response: result.extend({ redacted: z.string().optional() }),
});

const scanFile = endpoint({
  method: 'post',
  path: `${path}/scan/file`,
  summary: 'Look for secrets and personal data in a file',
  description: 'A text file of at most 50 MiB, in UTF-8 or UTF-16. What is packed or binary is not opened.',
  access: { scopes: ['files:scan'] },
  confidential: true,
  body: z.strictObject({ file, minConfidence }),
  status: 200,
  response: result.extend({ characters: z.int().meta({ description: 'How many were looked at.' }) }),
  errors: ['not-found', 'payload-too-large'],
});

const sign = endpoint({
  method: 'post',
  path: `${path}/signed-urls`,
  summary: 'Make a signed URL',
  description:
    'Whoever has it reads or writes that one file until it expires, without a credential. It cannot be revoked, so ' +
    'make it short-lived. A URL to write takes only the content type that it is made for, and no more bytes; room for ' +
    'them is taken in the plan until the file is deleted.',
  access: { scopes: ['files:sign'] },
  confidential: true,
  body: z.discriminatedUnion('action', [
    z.strictObject({
      action: z.literal('read'),
      file,
      expiresIn: z.int().min(1).max(604_800).default(900).meta({ description: 'Seconds, at most 7 days.' }),
    }),
    z.strictObject({
      action: z.literal('write'),
      file,
      expiresIn: z.int().min(1).max(86_400).default(900).meta({ description: 'Seconds, at most a day.' }),
      contentType: z
        .string()
        .max(100)
        .regex(/^[a-z]+\/[a-z\d.+-]+$/)
        .meta({ examples: ['text/csv'] }),
      maxBytes: z
        .int()
        .min(0)
        .max(maxUpload)
        .meta({ description: 'What the file may have at most, as exactly as you know it: this counts for the plan.' }),
    }),
  ]),
  status: 201,
  response: z.object({
    url: z.url(),
    expiresAt: z.iso.datetime(),
    headers: z.record(z.string(), z.string()).meta({ description: 'What an upload has to carry, as it stands here.' }),
  }),
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const listFiles = endpoint({
  method: 'get',
  path: `${path}/files`,
  summary: 'List files',
  description: 'Those that a URL to write was made for, with the room that each takes in the plan.',
  access: { scopes: ['files:sign'] },
  query: pageQuery,
  status: 200,
  response: pageSchema(storedFileViewSchema),
  errors: ['invalid-cursor'],
});

const removeFile = endpoint({
  method: 'delete',
  path: `${path}/files/{id}`,
  summary: 'Delete a file',
  description: 'Gives its room back. Not before an hour after the last URL that could write it has ended.',
  access: { scopes: ['files:sign'] },
  params: idParams,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

export const advancedSecurityFiles = ({
  dataLoss,
  signedUrls,
}: Pick<SecurityServices, 'dataLoss' | 'signedUrls'>): Route[] => [
  handle(scanText, ({ body: { text, ...options } }) => dataLoss.scanText(text, options)),
  handle(scanFile, ({ actor, body: { file: name, ...options } }) => dataLoss.scanFile(actor, name, options)),
  handle(sign, ({ actor, body: { file: name, ...options } }) => signedUrls.sign(actor, name, options)),
  handle(listFiles, ({ actor, query }) => signedUrls.list(actor, query)),
  handle(removeFile, async ({ actor, params }) => {
    await signedUrls.remove(actor, params.id);
    return undefined;
  }),
];
