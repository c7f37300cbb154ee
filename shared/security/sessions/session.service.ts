import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { deviceSchema, type Origin } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { KnownDevices } from '../threats/known-devices.ts';
import type { IssuedToken, IssueToken } from '../tokens/access-tokens.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import { createRefresh } from './refresh.ts';
import { sessionRaised, sessionRevoked, signInSucceeded } from './session.events.ts';
import { isLive, type Reason, sessionOver, sessionTokens, subjectOf } from './session.rules.ts';
import type { Method, Session, SessionView, Tokens } from './session.schema.ts';

/** A session and its user as they are in the store at this moment. */
export interface CurrentSession {
  readonly session: Stored<Session>;
  readonly user: Stored<User>;
}

/** What somebody has shown. */
export interface Proof {
  readonly methods: readonly Method[];
  readonly device: Origin;
  /** The session does not count as freshly proven: sensitive calls ask again. */
  readonly stepUp?: boolean;
  /** Whether the account has a second factor, though it may not have been asked for. */
  readonly secondFactor?: boolean;
  /** The device was found to be known as this user's. */
  readonly isKnownDevice?: boolean;
}

export interface Sessions {
  /** A new session of somebody who has proved who they are, by every factor that is asked of them. */
  open(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    proof: Proof,
    /** Written together with the session, or not at all: such as that the proof is used up. */
    also?: Writes,
  ): Promise<Tokens>;
  /**
   * The current session after its user has proved once more who they are, and a new access token that says so. The
   * next refresh says it too. Fails with `revision-conflict` when the session was changed meanwhile.
   */
  raise(
    actor: Actor,
    current: CurrentSession,
    proof: Pick<Proof, 'methods' | 'secondFactor'>,
    also?: Writes,
  ): Promise<IssuedToken>;
  /**
   * Makes what a session has proved so far count no more for sensitive calls, within 30 seconds: its user has to prove
   * once more who they are. For whoever has found the session suspicious. Fails with `not-found`.
   */
  demandStepUp(tenant: string, id: string): Promise<void>;
  /**
   * The next pair of tokens. A token that was used before ends the session; only the same request (`requestKey`, the
   * client's own) gets the same answer again, for ten seconds. Fails with `unauthenticated`.
   */
  refresh(token: string, requestKey: string | undefined): Promise<Tokens>;
  /** For sensitive calls: reads session and user. Fails with `forbidden` for a key, `unauthenticated` when it is over. */
  current(actor: Actor): Promise<CurrentSession>;
  /** For sensitive calls that keys may make as well: a person's session is read again. Fails with `unauthenticated`. */
  requireLive(actor: Actor): Promise<void>;
  /** Takes the current session over into the user's next epoch, which ends all others. */
  keep(actor: Actor, current: CurrentSession, epoch: number): Writes;
  /** Live ones, the newest first. */
  list(actor: Actor, request: PageRequest): Promise<Page<SessionView>>;
  signOut(actor: Actor): Promise<void>;
  /** One of the actor's own. Fails with `not-found`. */
  revoke(actor: Actor, id: string): Promise<void>;
  /** All of the actor's own but the current one, with every link that is under way. */
  revokeOthers(actor: Actor): Promise<void>;
}

export interface SessionsOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly sessions: TenantStore<Session>;
  readonly users: TenantStore<User>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly knownDevices?: Pick<KnownDevices, 'remember'>;
  readonly issue: IssueToken;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const maxAttempts = 5;
/** Of two who hold a session's token, nobody knows which is its user. */
const bySystem = { by: 'refresh', byKind: 'system' } as const;

export const createSessions = (options: SessionsOptions): Sessions => {
  const { database, sessions, users, policy, knownDevices, issue, makeEvent, newId, clock } = options;

  const tokensFor = sessionTokens(issue);

  const end = async (tenant: string, { id, value, revision }: Stored<Session>, reason: Reason): Promise<void> => {
    const ended: Session = { ...value, revokedAt: isoTime(clock.now()), revokedFor: reason };
    const data = { user: value.user, session: id, ...(reason === 'reuse' ? bySystem : {}), reason };
    const event = makeEvent(sessionRevoked, { tenant, subject: id, data });
    await database.transaction((transaction) => {
      transaction.update(sessions.of(tenant), id, ended, { revision });
      transaction.emit(event);
    });
  };

  /** Does it whatever else happens to the session meanwhile. */
  const surely = async (
    tenant: string,
    id: string,
    act: (found: Stored<Session>) => Promise<unknown>,
    isTheirs = (_: Session) => true,
  ): Promise<void> => {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const found = await sessions.of(tenant).get(id);
      if (found === undefined || !isTheirs(found.value)) throw new OmniError('not-found', 'There is no such session.');
      if (found.value.revokedAt !== undefined) return;
      try {
        await act(found);
        return;
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict')) throw error;
      }
    }
    throw new OmniError('revision-conflict', 'The session was changed meanwhile. Try again.');
  };
  const endSurely = (tenant: string, id: string, reason: Reason, isTheirs?: (session: Session) => boolean) =>
    surely(tenant, id, (found) => end(tenant, found, reason), isTheirs);

  const current: Sessions['current'] = async ({ tenant, kind, id, session: sid }) => {
    if (kind !== 'user' || sid === undefined) {
      throw new OmniError('forbidden', 'This is for people who are signed in, not for keys.');
    }
    const [session, user] = await Promise.all([sessions.of(tenant).get(sid), users.of(tenant).get(id)]);
    if (!session || !user || session.value.user !== id || !isLive(session.value, user.value, clock.now())) {
      throw sessionOver();
    }
    return { session, user };
  };

  const keep: Sessions['keep'] =
    ({ tenant }, { session: { id, value, revision } }, epoch) =>
    (transaction) =>
      transaction.update(sessions.of(tenant), id, { ...value, epoch }, { revision });

  return {
    open: async (
      tenant,
      user,
      { methods, device: origin, secondFactor = false, stepUp = false, isKnownDevice },
      also,
    ) => {
      const remembered = isKnownDevice === true ? undefined : knownDevices?.remember(tenant, user, origin);
      const [ofTenant, known] = await Promise.all([policy.of(tenant), remembered]);
      const { idleMinutes, absoluteHours } = ofTenant.sessions;
      const device = deviceSchema.parse(origin);
      const id = newId('ses');
      const secret = newSecret();
      const now = clock.now();
      const session: Session = {
        user: user.id,
        epoch: user.value.epoch,
        methods: [...methods],
        secondFactor,
        device,
        createdAt: isoTime(now),
        authenticatedAt: isoTime(stepUp ? 0 : now),
        refreshedAt: isoTime(now),
        idleUntil: isoTime(now + idleMinutes * 60_000),
        expiresAt: isoTime(now + absoluteHours * 3_600_000),
        tokenHash: hashOf(secret),
        familyKey: newSecret(),
      };
      const data = { user: user.id, session: id, methods: session.methods, device };
      const event = makeEvent(signInSucceeded, { tenant, subject: user.id, data });
      await database.transaction((transaction) => {
        transaction.create(sessions.of(tenant), id, session);
        also?.(transaction);
        transaction.emit(event);
        known?.write(transaction);
      });
      const tokens = await tokensFor(tenant, id, session, user.value, secret);
      return known === undefined ? tokens : { ...tokens, knownDevice: known.token };
    },
    raise: async ({ tenant }, { session: { id, value, revision }, user }, { methods, secondFactor = false }, also) => {
      const raised: Session = {
        ...value,
        methods: [...new Set([...value.methods, ...methods])],
        secondFactor,
        authenticatedAt: isoTime(clock.now()),
      };
      const data = { user: user.id, session: id, methods: [...methods] };
      const event = makeEvent(sessionRaised, { tenant, subject: id, data });
      await database.transaction((transaction) => {
        transaction.update(sessions.of(tenant), id, raised, { revision });
        also?.(transaction);
        transaction.emit(event);
      });
      return issue(subjectOf(tenant, id, raised, user.value));
    },
    demandStepUp: (tenant, id) =>
      surely(tenant, id, ({ value, revision }) =>
        sessions.of(tenant).update(id, { ...value, authenticatedAt: isoTime(0) }, { revision }),
      ),
    refresh: createRefresh({ sessions, users, policy, tokensFor, end: endSurely, clock }),
    current,
    requireLive: async (actor) => {
      if (actor.kind === 'user') await current(actor);
    },
    keep,
    list: async (actor, request) => {
      const { user } = await current(actor);
      const now = clock.now();
      const page = await sessions.of(actor.tenant).query({
        where: [{ field: 'user', op: '==', value: actor.id }],
        orderBy: { field: 'createdAt', order: 'desc' },
        ...request,
      });
      const live = page.items.filter(({ value }) => isLive(value, user.value, now));
      return { ...page, items: live.map(({ id, value }) => ({ id, ...value, current: id === actor.session })) };
    },
    signOut: async (actor) => {
      await current(actor);
      await endSurely(actor.tenant, actor.session ?? '', 'signed-out');
    },
    revoke: async (actor, id) => {
      await current(actor);
      await endSurely(actor.tenant, id, 'revoked', ({ user }) => user === actor.id);
    },
    revokeOthers: async (actor) => {
      const there = await current(actor);
      const { tenant } = actor;
      const { user } = there;
      const epoch = user.value.epoch + 1;
      const kept = keep(actor, there, epoch);
      const event = makeEvent(sessionRevoked, { tenant, subject: user.id, data: { user: user.id, reason: 'revoked' } });
      await database.transaction((transaction) => {
        transaction.update(users.of(tenant), user.id, { ...user.value, epoch }, { revision: user.revision });
        kept(transaction);
        transaction.emit(event);
      });
    },
  };
};
