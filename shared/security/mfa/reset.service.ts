import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, hasScope } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import { sameHash } from '../api-keys/api-key.format.ts';
import { doneByActor } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Passkey } from '../sessions/passkey.schema.ts';
import type { Sessions } from '../sessions/session.service.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import type { FactorBook } from './factor-book.ts';
import { resetCancelled, resetCompleted, resetRequested } from './mfa.events.ts';
import { noProfile } from './mfa.schema.ts';
import type { Notices } from './notices.ts';
import type { FactorReset, FactorResetTimer, FactorResetView } from './reset.schema.ts';

export interface FactorResets {
  /**
   * Asks for a reset of somebody else's factors, which takes place after the tenant's waiting period. They are told by
   * mail. Fails with `forbidden` for oneself and for somebody who may do more than the actor, `not-found`, and
   * `already-exists` where one is under way.
   */
  request(actor: Actor, user: string, reason: string): Promise<FactorResetView>;
  list(actor: Actor, request: PageRequest): Promise<Page<FactorResetView>>;
  /** Stops it: whose factors they are, or who may ask for resets. Fails with `not-found`, `precondition-failed` when it is over. */
  cancel(actor: Actor, id: string): Promise<FactorResetView>;
  /** Stops it by the link from the mail. Fails with `unauthenticated`. */
  cancelByLink(token: string): Promise<void>;
  /** Those of all tenants whose time has come, the oldest first. */
  due(limit: number): Promise<readonly { readonly tenant: string; readonly reset: string }[]>;
  /** Does it: no factors, no sessions, and no way in but by setting up a factor. Nothing where it is over already. */
  complete(tenant: string, id: string): Promise<Writes>;
}

export interface FactorResetsOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly resets: TenantStore<FactorReset>;
  readonly timers: Store<FactorResetTimer>;
  readonly users: TenantStore<User>;
  readonly passkeys: TenantStore<Passkey>;
  readonly book: Pick<FactorBook, 'read' | 'save'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly sessions: Pick<Sessions, 'current'>;
  readonly notices: Notices;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Whose factors support may ask to have reset without having what they have. */
const ordinary = ['member', 'viewer', 'billing', 'support'];
const pattern = /^omx_([a-z0-9-]{2,63})\.(rst_[0-9A-Za-z]{1,40})\.([\w-]{43})$/;

const viewOf = ({
  id,
  value: { cancelHash: _, roles: _roles, ...value },
}: Pick<Stored<FactorReset>, 'id' | 'value'>) => ({
  id,
  ...value,
});
type Canceller = Pick<Actor, 'id' | 'kind'>;
const theJob: Canceller = { kind: 'system', id: 'security.complete-factor-reset' };

const notFound = () => new OmniError('not-found', 'There is no such reset.');
const refused = () => new OmniError('unauthenticated', 'This link is not valid any more.');

export const createFactorResets = (options: FactorResetsOptions): FactorResets => {
  const { database, resets, timers, users, passkeys, book, policy, roles, sessions, notices } = options;
  const { makeEvent, newId, clock } = options;

  const findUser = async (actor: Actor, id: string): Promise<Stored<User>> => {
    if (actor.id === id) throw new OmniError('forbidden', 'Somebody else has to ask for a reset of your factors.');
    const user = await users.of(actor.tenant).get(id);
    if (user === undefined) throw new OmniError('not-found', 'There is no such user.');
    if (!user.value.roles.every((role) => ordinary.includes(role))) {
      await roles.requireGrantable(actor, user.value.roles);
    }
    return user;
  };

  /** Whether its user has come to roles that whoever asked for it might not reset. */
  const mayDoMore = ({ value }: Stored<FactorReset>, user: Stored<User> | undefined): boolean =>
    user?.value.roles.some((role) => !ordinary.includes(role) && !value.roles.includes(role)) === true;

  /** It is over, and its user's profile no longer names it. */
  const cancellation = async (tenant: string, found: Stored<FactorReset>, by: Canceller) => {
    const { user } = found.value;
    const { stored, profile } = await book.read(tenant, user);
    const { reset: _, ...next } = profile;
    const value: FactorReset = { ...found.value, status: 'cancelled', endedAt: isoTime(clock.now()), endedBy: by.id };
    const event = makeEvent(resetCancelled, {
      tenant,
      subject: user,
      data: { user, reset: found.id, ...doneByActor(by) },
    });
    const write = (transaction: Transaction): void => {
      transaction.update(resets.of(tenant), found.id, value, { revision: found.revision });
      transaction.delete(timers, found.id);
      book.save(transaction, tenant, user, stored, next);
      transaction.emit(event);
    };
    return { value, write };
  };

  const stop = async (tenant: string, found: Stored<FactorReset>, by: Canceller): Promise<FactorResetView> => {
    if (found.value.status !== 'waiting') throw new OmniError('precondition-failed', 'The reset is over.');
    const { value, write } = await cancellation(tenant, found, by);
    await database.transaction(write);
    return viewOf({ id: found.id, value });
  };

  return {
    request: async (actor, id, reason) => {
      await sessions.current(actor);
      const { tenant } = actor;
      const user = await findUser(actor, id);
      const { stored, profile } = await book.read(tenant, id);
      if (profile.reset !== undefined) throw new OmniError('already-exists', 'A reset is under way.');
      const { resetHours: hours } = (await policy.of(tenant)).mfa;
      const [reset, secret, now] = [newId('rst'), newSecret(), clock.now()];
      const dueAt = isoTime(now + hours * 3_600_000);
      const value: FactorReset = {
        user: id,
        by: actor.id,
        reason,
        roles: [...user.value.roles],
        status: 'waiting',
        cancelHash: hashOf(secret),
        createdAt: isoTime(now),
        dueAt,
      };
      const token = `omx_${tenant}.${reset}.${secret}`;
      const told = await notices.tell(tenant, user, { template: 'factor-reset-requested', hours, token }, reset);
      const data = { user: id, reset, ...doneByActor(actor), reason, dueAt };
      const event = makeEvent(resetRequested, { tenant, subject: id, data });
      await database.transaction((transaction) => {
        transaction.create(resets.of(tenant), reset, value);
        transaction.create(timers, reset, { tenant, dueAt });
        book.save(transaction, tenant, id, stored, { ...profile, reset });
        told(transaction);
        transaction.emit(event);
      });
      return viewOf({ id: reset, value });
    },
    list: async ({ tenant }, request) => {
      const page = await resets.of(tenant).query(request);
      return { ...page, items: page.items.map(viewOf) };
    },
    cancel: async (actor, id) => {
      await sessions.current(actor);
      const found = await resets.of(actor.tenant).get(id);
      const mayCancel = found?.value.user === actor.id || hasScope(actor, 'mfa:reset');
      if (found === undefined || !mayCancel) throw notFound();
      return stop(actor.tenant, found, actor);
    },
    cancelByLink: async (text) => {
      const [, tenant, id, secret] = pattern.exec(text) ?? [];
      if (tenant === undefined || id === undefined || secret === undefined) throw refused();
      const found = await resets.of(tenant).get(id);
      if (found === undefined || !sameHash(found.value.cancelHash, hashOf(secret))) throw refused();
      if (found.value.status !== 'waiting') throw refused();
      await stop(tenant, found, { kind: 'user', id: found.value.user });
    },
    due: async (limit) => {
      const { items } = await timers.query({
        where: [{ field: 'dueAt', op: '<=', value: isoTime(clock.now()) }],
        orderBy: { field: 'dueAt', order: 'asc' },
        limit,
      });
      return items.map(({ id, value }) => ({ tenant: value.tenant, reset: id }));
    },
    complete: async (tenant, id) => {
      const found = await resets.of(tenant).get(id);
      if (found?.value.status !== 'waiting' || Date.parse(found.value.dueAt) > clock.now()) return () => {};
      const { user: whose, by } = found.value;
      const [user, factors] = await Promise.all([users.of(tenant).get(whose), book.read(tenant, whose)]);
      if (mayDoMore(found, user)) return (await cancellation(tenant, found, theJob)).write;
      const value: FactorReset = { ...found.value, status: 'done', endedAt: isoTime(clock.now()) };
      const event = makeEvent(resetCompleted, {
        tenant,
        subject: whose,
        data: { user: whose, reset: id, by, byKind: 'user' },
      });
      const told = user && (await notices.tell(tenant, user, { template: 'factor-reset-completed' }, id));
      return (transaction) => {
        transaction.update(resets.of(tenant), id, value, { revision: found.revision });
        transaction.delete(timers, id);
        transaction.emit(event);
        if (user === undefined) return;
        const next: User = { ...user.value, epoch: user.value.epoch + 1, updatedAt: isoTime(clock.now()) };
        transaction.update(users.of(tenant), whose, next, { revision: user.revision });
        for (const passkey of factors.passkeys) transaction.delete(passkeys.of(tenant), passkey.id);
        book.save(transaction, tenant, whose, factors.stored, { ...noProfile, mustEnrol: true });
        told?.(transaction);
      };
    },
  };
};
