import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

/** A ceremony between its two requests: good once, for ten minutes, in the browser that began it. */
export const flowSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('passkey-registration'),
    challenge: z.string(),
    user: z.string(),
    expiresAt: z.iso.datetime(),
  }),
  z.object({ kind: z.literal('passkey-sign-in'), challenge: z.string(), expiresAt: z.iso.datetime() }),
  z.object({
    kind: z.literal('oidc'),
    provider: z.string(),
    redirectUri: z.string(),
    state: z.string(),
    nonce: z.string(),
    /** The PKCE code verifier (RFC 7636). */
    codeVerifier: z.string(),
    expiresAt: z.iso.datetime(),
  }),
]);
export type Flow = z.infer<typeof flowSchema>;

/** By the hash of the flow's secret, which the browser that began it holds. */
export const flowCollection = tenantCollection<Flow>({
  name: 'signInFlows',
  schema: flowSchema,
  ttl: 'expiresAt',
});
