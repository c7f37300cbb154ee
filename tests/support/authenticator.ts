import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import * as z from 'zod';

const creationSchema = z.object({
  challenge: z.string(),
  rp: z.object({ id: z.string() }),
  user: z.object({ id: z.string() }),
  excludeCredentials: z.array(z.object({ id: z.string() })).default([]),
});
const requestSchema = z.object({ challenge: z.string(), rpId: z.string() });

export interface AuthenticatorOptions {
  /** Where the page is that asks. */
  readonly origin: string;
  /** Whether its owner was verified by it, as by a finger. */
  readonly verifiesUser?: boolean;
}

const url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const hash = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();

/** A platform authenticator in software: ES256, no attestation, as WebAuthn level 3 has it (sections 6.1, 6.5 and 8.7). */
export const softwareAuthenticator = ({ origin, verifiesUser = true }: AuthenticatorOptions) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const credentialId = randomBytes(32);
  const id = url(credentialId);
  let counter = 0;
  let userHandle = '';

  const clientData = (type: string, challenge: string, from = origin): Buffer =>
    Buffer.from(JSON.stringify({ type, challenge, origin: from, crossOrigin: false }));

  const authenticatorData = (rpId: string, attested?: Uint8Array): Buffer => {
    const flags = 0x01 | (verifiesUser ? 0x04 : 0) | (attested === undefined ? 0 : 0x40);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    return Buffer.concat([hash(rpId), Buffer.from([flags]), count, attested ?? Buffer.alloc(0)]);
  };

  const cosePublicKey = (): Uint8Array => {
    const { x = '', y = '' } = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })).export({
      format: 'jwk',
    });
    const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
    const key = new Map<number, number | Uint8Array>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, bytes(x)],
      [-3, bytes(y)],
    ]);
    return isoCBOR.encode(key);
  };

  return {
    id,
    /** As a restored backup would: back to an earlier count. */
    setCounter: (to: number): void => {
      counter = to;
    },
    create: (options: unknown, from?: string) => {
      const { challenge, rp, user } = creationSchema.parse(options);
      userHandle = user.id;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(credentialId.length);
      const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, cosePublicKey()]);
      const attestation = new Map<string, string | Uint8Array | Map<string, string>>([
        ['fmt', 'none'],
        ['attStmt', new Map<string, string>()],
        ['authData', new Uint8Array(authenticatorData(rp.id, attested))],
      ]);
      return {
        id,
        rawId: id,
        type: 'public-key',
        authenticatorAttachment: 'platform',
        clientExtensionResults: {},
        response: {
          clientDataJSON: url(clientData('webauthn.create', challenge, from)),
          attestationObject: url(isoCBOR.encode(attestation)),
          transports: ['internal'],
        },
      };
    },
    get: (options: unknown, from?: string) => {
      const { challenge, rpId } = requestSchema.parse(options);
      counter += 1;
      const client = clientData('webauthn.get', challenge, from);
      const data = authenticatorData(rpId);
      return {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: url(client),
          authenticatorData: url(data),
          signature: url(sign('sha256', Buffer.concat([data, hash(client)]), privateKey)),
          userHandle,
        },
      };
    },
  };
};
