import { type Acr, OmniError } from '../../kernel/errors.ts';
import type { User } from '../identity/user.schema.ts';
import type { IssueToken, TokenSubject } from '../tokens/access-tokens.ts';
import { refreshText } from './refresh-token.ts';
import type { Method, Session, Tokens } from './session.schema.ts';

export const sessionOver = () => new OmniError('unauthenticated', 'The session is over. Sign in again.');

/** Whether a session of this user is live. */
export const isLive = (session: Session, user: User | undefined, now: number): boolean =>
  session.revokedAt === undefined &&
  Date.parse(session.idleUntil) > now &&
  Date.parse(session.expiresAt) > now &&
  user?.status === 'active' &&
  user.epoch === session.epoch;

export type Reason = NonNullable<Session['revokedFor']>;

const secondOnes: readonly Method[] = ['otp', 'sms', 'mail', 'rcv'];

/** A passkey has verified its owner, by a finger or a PIN: it is two factors. Else it takes one beside the first. */
export const acrOf = (methods: readonly Method[]): Acr =>
  methods.includes('hwk') || (methods.some((one) => secondOnes.includes(one)) && new Set(methods).size > 1)
    ? 'aal2'
    : 'aal1';

/** Seconds since the Unix epoch. */
export const authTimeOf = ({ authenticatedAt }: Pick<Session, 'authenticatedAt'>): number =>
  Math.floor(Date.parse(authenticatedAt) / 1_000);

/** What the access tokens of a session say. */
export const subjectOf = (tenant: string, id: string, session: Session, user: User): TokenSubject => ({
  sub: session.user,
  client_id: 'omni',
  tenant,
  sid: id,
  roles: user.roles,
  epoch: session.epoch,
  auth_time: authTimeOf(session),
  acr: acrOf(session.methods),
  amr: session.methods,
});

/** The tokens of a session whose refresh token has this secret. */
export const sessionTokens =
  (issue: IssueToken) =>
  async (tenant: string, id: string, session: Session, user: User, secret: string): Promise<Tokens> => ({
    ...(await issue(subjectOf(tenant, id, session, user))),
    refreshToken: refreshText(tenant, id, session.familyKey, secret),
    refreshExpiresAt: session.expiresAt,
    session: id,
    user: session.user,
  });
