import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import { isActiveTenant } from '../identity/active-tenant.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import type { MfaChallenge } from './challenge.schema.ts';

export type NewChallenge = Pick<
  MfaChallenge,
  'purpose' | 'user' | 'epoch' | 'session' | 'shown' | 'methods' | 'phone' | 'totp'
>;

export interface MadeChallenge {
  readonly token: string;
  readonly methods: MfaChallenge['methods'];
  readonly expiresAt: string;
}

export interface FoundChallenge {
  readonly tenant: string;
  /** Never stored: it is the key of what is. */
  readonly secret: string;
  readonly challenge: Stored<MfaChallenge>;
  readonly user: Stored<User>;
}

export interface Challenges {
  /** A new one, which `write` puts into a transaction. */
  draft(tenant: string, challenge: NewChallenge): MadeChallenge & { readonly write: Writes };
  create(tenant: string, challenge: NewChallenge): Promise<MadeChallenge>;
  /**
   * Fails with `unauthenticated`, in a session with `invalid-request`, for one that is unknown, used, over, for something else, of another session, or older
   * than its user's epoch.
   */
  find(token: string, purposes: readonly MfaChallenge['purpose'][], session?: string): Promise<FoundChallenge>;
  /** Uses it up, on condition that nobody else has. */
  spend(found: FoundChallenge): Writes;
  change(found: FoundChallenge, change: Partial<MfaChallenge>): Writes;
}

export interface ChallengesOptions {
  readonly challenges: TenantStore<MfaChallenge>;
  readonly users: TenantStore<User>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly clock: Clock;
}

/** Milliseconds. */
export const challengeLifetime = 600_000;

const pattern = /^omc_([a-z0-9-]{2,63})\.([\w-]{43})$/;

/**
 * Refuses an answer. In a session the credential is not what is wrong: `unauthenticated` would tell a client that its
 * token is.
 */
export const refusedIn = (session: string | undefined, message: string): OmniError =>
  new OmniError(session === undefined ? 'unauthenticated' : 'invalid-request', message);

export const challengeOver = (session?: string): OmniError =>
  refusedIn(session, 'This challenge is over. Begin again.');

/** Of a challenge that asks for something else. */
export const notAsked = () => new OmniError('precondition-failed', 'This challenge does not ask for that.');

export const createChallenges = ({ challenges, users, tenants, clock }: ChallengesOptions): Challenges => {
  const make = (tenant: string, challenge: NewChallenge) => {
    const secret = newSecret();
    const now = clock.now();
    const expiresAt = isoTime(now + challengeLifetime);
    const value: MfaChallenge = { ...challenge, guesses: 0, sends: 0, createdAt: isoTime(now), expiresAt };
    const view = { token: `omc_${tenant}.${secret}`, methods: challenge.methods, expiresAt };
    return { id: hashOf(secret), value, view };
  };

  return {
    draft: (tenant, challenge) => {
      const { id, value, view } = make(tenant, challenge);
      return { ...view, write: (transaction) => transaction.create(challenges.of(tenant), id, value) };
    },
    create: async (tenant, challenge) => {
      const { id, value, view } = make(tenant, challenge);
      await challenges.of(tenant).create(id, value);
      return view;
    },
    find: async (token, purposes, session) => {
      const [, tenant, secret] = pattern.exec(token) ?? [];
      if (tenant === undefined || secret === undefined) throw challengeOver(session);
      const challenge = await challenges.of(tenant).get(hashOf(secret));
      if (challenge === undefined || !purposes.includes(challenge.value.purpose)) throw challengeOver(session);
      if (challenge.value.session !== session) throw challengeOver(session);
      const [user, isActive] = await Promise.all([
        users.of(tenant).get(challenge.value.user),
        isActiveTenant(tenants, tenant),
      ]);
      if (!isActive || user?.value.status !== 'active' || user.value.epoch !== challenge.value.epoch) {
        throw challengeOver(session);
      }
      return { tenant, secret, challenge, user };
    },
    spend:
      ({ tenant, challenge: { id, revision } }) =>
      (transaction) =>
        transaction.delete(challenges.of(tenant), id, { revision }),
    change:
      ({ tenant, challenge: { id, value, revision } }, change) =>
      (transaction) =>
        transaction.update(challenges.of(tenant), id, { ...value, ...change }, { revision }),
  };
};
