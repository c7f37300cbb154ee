import type { Clock } from '../../kernel/clock.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import type { User } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { hashOf } from '../tokens/opaque-token.ts';
import { isOfFamily, parseRefresh, successorOf } from './refresh-token.ts';
import { isLive, type Reason, sessionOver, type sessionTokens } from './session.rules.ts';
import type { Session, Tokens } from './session.schema.ts';

export interface RefreshOptions {
  readonly sessions: TenantStore<Session>;
  readonly users: TenantStore<User>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly tokensFor: ReturnType<typeof sessionTokens>;
  /** Ends a session. */
  readonly end: (tenant: string, id: string, reason: Reason) => Promise<void>;
  readonly clock: Clock;
}

/** Milliseconds in which the same request may ask for its answer again. */
export const replayWindow = 10_000;
const maxAttempts = 5;

export const createRefresh = ({ sessions, users, policy, tokensFor, end, clock }: RefreshOptions) => {
  const rotated = async (tenant: string, session: Session, next: string): Promise<Session> => {
    const now = clock.now();
    const { idleMinutes } = (await policy.of(tenant)).sessions;
    return {
      ...session,
      tokenHash: hashOf(next),
      refreshedAt: isoTime(now),
      idleUntil: isoTime(now + idleMinutes * 60_000),
    };
  };

  /** One attempt; undefined where another request was faster, and what it did is to be looked at. */
  const tryRefresh = async (text: string, requestKey: string | undefined): Promise<Tokens | undefined> => {
    const token = parseRefresh(text);
    const stored = token && (await sessions.of(token.tenant).get(token.session));
    if (!token || !stored || !isOfFamily(stored.value.familyKey, token)) throw sessionOver();
    const { tenant, session: id, secret } = token;
    const { value: session, revision } = stored;
    const user = (await users.of(tenant).get(session.user))?.value;
    const now = clock.now();
    if (user === undefined || !isLive(session, user, now)) throw sessionOver();

    const next = successorOf(session.familyKey, secret, requestKey);
    if (hashOf(secret) === session.tokenHash) {
      const renewed = await rotated(tenant, session, next);
      try {
        await sessions.of(tenant).update(id, renewed, { revision });
      } catch (error) {
        if (isOmniError(error, 'revision-conflict')) return undefined;
        throw error;
      }
      return tokensFor(tenant, id, renewed, user, next);
    }
    const isReplay = hashOf(next) === session.tokenHash && now - Date.parse(session.refreshedAt) <= replayWindow;
    if (isReplay) return tokensFor(tenant, id, session, user, next);
    await end(tenant, id, 'reuse');
    throw sessionOver();
  };

  return async (text: string, requestKey: string | undefined): Promise<Tokens> => {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const tokens = await tryRefresh(text, requestKey);
      if (tokens !== undefined) return tokens;
    }
    throw new OmniError('revision-conflict', 'The session was changed meanwhile. Try again.');
  };
};
