import { decodeAttestationObject, isoUint8Array, parseAuthenticatorData } from '@simplewebauthn/server/helpers';
import { describe, expect, it } from 'vitest';
import published from '#tests/support/webauthn-vectors.json' with { type: 'json' };
import { verifyAuthentication, verifyRegistration } from './passkey.verify.ts';

const party = { rpId: 'example.org', rpName: 'Example', origins: ['https://example.org'] };
const url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');

type Vector = (typeof published.vectors)[number];

/** We ask for no attestation. One that comes all the same must be right, and these end at a root that no vendor has. */
const unknownRoots = ['tpm-es256', 'android-key-es256', 'apple-es256', 'fido-u2f-es256'];
/** An algorithm that we do not offer. */
const notOffered = ['packed-ed448'];
/** Signed in a frame of another site, which could lead its owner by the hand. */
const framed = ['none-es256-topOrigin'];

const register = ({ registration }: Vector) => {
  const { credentialId, clientDataJSON, attestationObject, challenge } = registration;
  const response = { clientDataJSON: url(clientDataJSON), attestationObject: url(attestationObject) };
  const id = url(credentialId);
  const expected = { party, challenge: url(challenge), userVerification: false };
  return verifyRegistration({ id, rawId: id, type: 'public-key', response }, expected);
};

/** The credential as the attestation says it, whatever the attestation is worth. */
const credentialOf = ({ registration }: Vector) => {
  const decoded = decodeAttestationObject(isoUint8Array.fromHex(registration.attestationObject));
  const { credentialPublicKey, counter } = parseAuthenticatorData(decoded.get('authData'));
  const publicKey = Buffer.from(credentialPublicKey ?? []).toString('base64url');
  return { credential: url(registration.credentialId), publicKey, counter };
};

const signIn = (vector: Vector, change: Partial<Vector['authentication']> = {}, userVerification = false) => {
  const { clientDataJSON, authenticatorData, signature, challenge } = { ...vector.authentication, ...change };
  const passkey = credentialOf(vector);
  const response = {
    clientDataJSON: url(clientDataJSON),
    authenticatorData: url(authenticatorData),
    signature: url(signature),
  };
  const { credential: id } = passkey;
  const expected = { party, challenge: url(challenge), userVerification };
  return verifyAuthentication({ id, rawId: id, type: 'public-key', response }, passkey, expected);
};

const named = (without: readonly string[]) =>
  published.vectors.filter(({ name }) => !without.includes(name)).map((vector) => [vector.name, vector] as const);
const only = (these: readonly string[]) =>
  published.vectors.filter(({ name }) => these.includes(name)).map((vector) => [vector.name, vector] as const);

describe('the vectors of WebAuthn level 3, section 16', () => {
  it.each(named([...unknownRoots, ...notOffered]))('%s registers', async (_name, vector) => {
    expect(await register(vector)).toMatchObject(credentialOf(vector));
  });

  it.each(only([...unknownRoots, ...notOffered]))('%s does not register here', async (_name, vector) => {
    expect(await register(vector)).toBeUndefined();
  });

  it.each(named([...framed, ...notOffered]))('%s signs in', async (_name, vector) => {
    expect(await signIn(vector)).toMatchObject({ counter: 0 });
  });

  it.each(only(framed))('%s does not sign in here', async (_name, vector) => {
    expect(await signIn(vector)).toBeUndefined();
  });

  it.each(named([]))('%s does not sign in once anything of it is changed', async (_name, vector) => {
    const { authenticatorData, signature } = vector.authentication;
    const [another = vector] = published.vectors.filter(({ name }) => name !== vector.name);
    expect(await signIn(vector, { challenge: another.authentication.challenge })).toBeUndefined();
    expect(await signIn(vector, { clientDataJSON: another.authentication.clientDataJSON })).toBeUndefined();
    expect(await signIn(vector, { authenticatorData: `${authenticatorData.slice(0, -2)}01` })).toBeUndefined();
    expect(await signIn(vector, { signature: another.authentication.signature })).toBeUndefined();
    expect(signature).not.toBe(another.authentication.signature);
  });

  it.each(named([...framed, ...notOffered]))(
    '%s signs in to us only if the authenticator has verified its owner',
    async (_name, vector) => {
      const flags = Buffer.from(vector.authentication.authenticatorData, 'hex')[32] ?? 0;
      expect((await signIn(vector, {}, true)) !== undefined).toBe((flags & 0x04) !== 0);
    },
  );
});
