import { OmniError } from '../../kernel/errors.ts';
import type { User } from '../identity/user.schema.ts';
import type { IssueToken } from '../tokens/access-tokens.ts';
import { refreshText } from './refresh-token.ts';
import type { Session, Tokens } from './session.schema.ts';

export const sessionOver = () => new OmniError('unauthenticated', 'The session is over. Sign in again.');

/** Whether a session of this user is live. */
export const isLive = (session: Session, user: User | undefined, now: number): boolean =>
  session.revokedAt === undefined &&
  Date.parse(session.idleUntil) > now &&
  Date.parse(session.expiresAt) > now &&
  user?.status === 'active' &&
  user.epoch === session.epoch;

export type Reason = NonNullable<Session['revokedFor']>;

/** The tokens of a session whose refresh token has this secret. */
export const sessionTokens =
  (issue: IssueToken) =>
  async (tenant: string, id: string, session: Session, user: User, secret: string): Promise<Tokens> => ({
    ...(await issue({
      sub: session.user,
      client_id: 'omni',
      tenant,
      sid: id,
      roles: user.roles,
      epoch: session.epoch,
      auth_time: Math.floor(Date.parse(session.authenticatedAt) / 1_000),
      amr: session.methods,
    })),
    refreshToken: refreshText(tenant, id, session.familyKey, secret),
    refreshExpiresAt: session.expiresAt,
    session: id,
    user: session.user,
  });
