import * as z from 'zod';

/** Seconds for which an access token is valid. */
export const tokenLifetime = 600;
/** Seconds. A token that says to be older is refused whatever its `exp` says. */
export const maxTokenAge = tokenLifetime;
/** Seconds by which clocks may differ. */
export const clockTolerance = 5;

/** The payload of an access token (RFC 9068, section 2.2), with Omni's own claims. */
export const accessTokenClaimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  /** The user, or the service account. */
  sub: z.string().min(1),
  client_id: z.string(),
  jti: z.string(),
  iat: z.int(),
  exp: z.int(),
  tenant: z.string().min(1),
  /** The session; absent for a service account. */
  sid: z.string().min(1).optional(),
  roles: z.array(z.string()),
  /** Rises when all that was given out to the subject before is to be refused. */
  epoch: z.int().min(0),
  /** When the user proved who they are; seconds since the Unix epoch. */
  auth_time: z.int().optional(),
  /** How surely: by one factor, or by two. */
  acr: z.enum(['aal1', 'aal2']).optional(),
  /** How (RFC 8176): `pwd`, `hwk`, `otp`, `sms`; `link`, `fed`, `mail` and `rcv` are ours. */
  amr: z.array(z.string()).optional(),
});
export type AccessTokenClaims = z.infer<typeof accessTokenClaimsSchema>;
