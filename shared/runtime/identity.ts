import { createHash, timingSafeEqual } from 'node:crypto';
import type { ServiceIdentity } from '../http/pipeline/internal-prefix.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * For development, where the emulators send no identity: a secret that the starter makes anew on each run, in the
 * query (`?token=`, as Pub/Sub's own guide does for endpoints without OIDC) or as a bearer token.
 */
export const sharedSecretIdentity = (secret: string): ServiceIdentity => ({
  verify: async (request) => {
    const bearer = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
    const token = bearer ?? new URL(request.url).searchParams.get('token') ?? '';
    return timingSafeEqual(digest(token), digest(secret)) ? 'development' : undefined;
  },
});

/**
 * In the cloud: an OIDC token that Google signed for one of our service accounts and for this deployment
 * (https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions).
 */
export const googleServiceIdentity = (audience: string, accounts: readonly string[]): ServiceIdentity => {
  const load = async () => {
    const { OAuth2Client } = await import('google-auth-library');
    return new OAuth2Client();
  };
  let client: ReturnType<typeof load> | undefined;
  return {
    verify: async (request) => {
      const idToken = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
      if (idToken === undefined) return undefined;
      client ??= load();
      try {
        const payload = (await (await client).verifyIdToken({ idToken, audience })).getPayload();
        const email = payload?.email_verified === true ? payload.email : undefined;
        return email !== undefined && accounts.includes(email) ? email : undefined;
      } catch {
        return undefined;
      }
    },
  };
};

/** Where nothing is configured nobody is internal. */
export const nobodyInternal: ServiceIdentity = { verify: async () => undefined };
