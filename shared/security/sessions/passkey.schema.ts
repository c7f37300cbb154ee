import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

/** Base64url without padding. */
const bytes = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\w-]+$/);
const transport = z.enum(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

export const passkeySchema = z.object({
  user: z.string(),
  name: z.string().max(100),
  credential: z.string(),
  /** COSE, base64url. */
  publicKey: z.string(),
  /** The authenticator's own count of signatures; many keep none. */
  counter: z.int().min(0),
  transports: z.array(transport),
  /** Whether it is kept on several devices. */
  backedUp: z.boolean(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
});
export type Passkey = z.infer<typeof passkeySchema>;

/** By the hash of the credential's id, which is up to 1,023 bytes long. */
export const passkeyCollection = tenantCollection<Passkey>({
  name: 'passkeys',
  schema: passkeySchema,
  unindexed: ['credential', 'publicKey', 'name'],
});

export const passkeyViewSchema = passkeySchema
  .pick({ name: true, backedUp: true, transports: true, createdAt: true, lastUsedAt: true })
  .extend({ id: z.string() })
  .meta({ id: 'Passkey' });
export type PasskeyView = z.infer<typeof passkeyViewSchema>;

const credentialId = bytes(1_364);
const attachment = z.enum(['cross-platform', 'platform']).optional();
/** Of no use to us, and different with every browser. */
const extensions = z.record(z.string().max(100), z.unknown()).default({});

/** What `navigator.credentials.create` gave, as `PublicKeyCredential.toJSON()` writes it (WebAuthn 3, section 5.1.8). */
export const registrationResponseSchema = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  authenticatorAttachment: attachment,
  clientExtensionResults: extensions,
  response: z.object({
    clientDataJSON: bytes(8_000),
    attestationObject: bytes(40_000),
    transports: z.array(z.string().max(20)).max(10).optional(),
  }),
});
export type RegistrationResponse = z.infer<typeof registrationResponseSchema>;

/** What `navigator.credentials.get` gave. */
export const authenticationResponseSchema = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  authenticatorAttachment: attachment,
  clientExtensionResults: extensions,
  response: z.object({
    clientDataJSON: bytes(8_000),
    authenticatorData: bytes(8_000),
    signature: bytes(8_000),
    userHandle: bytes(100).optional(),
  }),
});
export type AuthenticationResponse = z.infer<typeof authenticationResponseSchema>;

/** Options in the form of WebAuthn's JSON, which the browser parses by itself. */
const optionsSchema = z.record(z.string(), z.unknown()).meta({ description: 'For the browser (WebAuthn, JSON form).' });

export const ceremonySchema = z
  .object({
    flow: z.string().meta({ description: 'To be sent with the response. Good once, for ten minutes.' }),
    options: optionsSchema,
  })
  .meta({ id: 'PasskeyCeremony' });
export type Ceremony = z.infer<typeof ceremonySchema>;

export const isTransport = (text: string): text is Passkey['transports'][number] =>
  transport.options.some((one) => one === text);
