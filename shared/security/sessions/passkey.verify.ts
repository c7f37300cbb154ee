import type { AuthSettings } from '../identity/auth-settings.schema.ts';
import type { AuthenticationResponse, Passkey, RegistrationResponse } from './passkey.schema.ts';

/** Loaded where it is first used, and then kept by Node. */
export const loadWebAuthn = () => import('@simplewebauthn/server');

/** COSE's numbers of EdDSA, ES256, ES384, ES512 and RS256, in the order of preference. */
export const algorithms = [-8, -7, -35, -36, -257];

/** Whom a passkey is for. */
export type RelyingParty = NonNullable<AuthSettings['passkeys']>;

export interface Expected {
  readonly party: RelyingParty;
  readonly challenge: string;
  /** Whether the authenticator must have verified its owner. True where absent. */
  readonly userVerification?: boolean;
}

/** The new credential; undefined for a response that does not verify (WebAuthn 3, section 7.1). */
export const verifyRegistration = async (
  { id, rawId, type, response }: Omit<RegistrationResponse, 'clientExtensionResults'>,
  { party, challenge, userVerification = true }: Expected,
): Promise<Pick<Passkey, 'credential' | 'publicKey' | 'counter' | 'backedUp'> | undefined> => {
  const { verifyRegistrationResponse } = await loadWebAuthn();
  const { clientDataJSON, attestationObject } = response;
  const result = await verifyRegistrationResponse({
    response: { id, rawId, type, clientExtensionResults: {}, response: { clientDataJSON, attestationObject } },
    expectedChallenge: challenge,
    expectedOrigin: party.origins,
    expectedRPID: party.rpId,
    requireUserVerification: userVerification,
    supportedAlgorithmIDs: algorithms,
  }).catch(() => undefined);
  if (result?.verified !== true) return undefined;
  const { credential, credentialBackedUp } = result.registrationInfo;
  return {
    credential: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString('base64url'),
    counter: credential.counter,
    backedUp: credentialBackedUp,
  };
};

/** The credential's new state; undefined for a response that does not verify (WebAuthn 3, section 7.2). */
export const verifyAuthentication = async (
  { id, rawId, type, response }: Omit<AuthenticationResponse, 'clientExtensionResults'>,
  passkey: Pick<Passkey, 'credential' | 'publicKey' | 'counter'>,
  { party, challenge, userVerification = true }: Expected,
): Promise<Pick<Passkey, 'counter' | 'backedUp'> | undefined> => {
  const { verifyAuthenticationResponse } = await loadWebAuthn();
  const { userHandle, ...proof } = response;
  const result = await verifyAuthenticationResponse({
    response: {
      id,
      rawId,
      type,
      clientExtensionResults: {},
      response: { ...proof, ...(userHandle === undefined ? {} : { userHandle }) },
    },
    expectedChallenge: challenge,
    expectedOrigin: party.origins,
    expectedRPID: party.rpId,
    credential: {
      id: passkey.credential,
      publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
      counter: passkey.counter,
    },
    requireUserVerification: userVerification,
  }).catch(() => undefined);
  if (result?.verified !== true) return undefined;
  const { newCounter, credentialBackedUp } = result.authenticationInfo;
  return { counter: newCounter, backedUp: credentialBackedUp };
};
