import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { doneByActor, userRemoved, userRolesChanged, userSignedUp } from './identity.events.ts';
import type { Links, Writes } from './links.ts';
import { isOwner, type OwnerGuard } from './owner-guard.ts';
import type { PasswordHasher } from './password.ts';
import type { CheckPassword } from './password-policy.ts';
import type { User } from './user.schema.ts';
import { emailReservation, tieReservation, type UserService } from './user.service.ts';

export interface NewMember {
  /** In its one form. Who is admitted has shown to read its mail. */
  readonly email: string;
  readonly name?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly roles: readonly string[];
}

export interface Founder {
  readonly email: string;
  readonly name?: string | undefined;
  readonly password?: string | undefined;
  readonly locale?: string | undefined;
}

export interface Admission {
  readonly user: string;
  /** False for an account that was there: it gets the roles besides its own. */
  readonly isNew: boolean;
  readonly write: Writes;
}

/** What tenant administration does to accounts, as parts of its own transactions. */
export interface Membership {
  /** The first owner of a new tenant, and the mail with the link that opens the account, as after a sign-up. */
  found(tenant: string, founder: Founder): Promise<{ readonly user: string; readonly write: Writes }>;
  /** Of a password by the tenant's policy. Fails with `invalid-request` for a weak one. */
  hash(tenant: string, of: Omit<Founder, 'locale'>): Promise<string | undefined>;
  /** Opens an account, or gives the roles to the one that the address has. Fails with `forbidden` for a disabled one. */
  admit(tenant: string, member: NewMember): Promise<Admission>;
  /** Fails with `not-found`, `forbidden`, and with `precondition-failed` for the last owner. */
  remove(actor: Actor, id: string): Promise<Writes>;
  /** As `remove`, by the account's own wish: no right of others is asked for. */
  leave(actor: Actor): Promise<Writes>;
  /** The first becomes an admin, the second an owner. Fails with `precondition-failed` where either may not. */
  passOwnership(tenant: string, from: string, to: string): Promise<Writes>;
  /** Active, verified accounts with the role owner, at most 50. */
  owners(tenant: string): Promise<readonly Stored<User>[]>;
  count(tenant: string): Promise<number>;
}

export interface MembershipOptions {
  readonly users: TenantStore<User>;
  readonly drafts: Pick<UserService, 'draft' | 'findByEmail'>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly guard: OwnerGuard;
  readonly links: Pick<Links, 'make'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly passwords: Pick<PasswordHasher, 'hash'>;
  readonly checkPassword: CheckPassword;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

export const createMembership = (options: MembershipOptions): Membership => {
  const { users, drafts, roles, guard, links, policy, passwords, checkPassword, makeEvent, newId, clock } = options;

  const find = async (tenant: string, id: string): Promise<Stored<User>> => {
    const user = await users.of(tenant).get(id);
    if (user === undefined) throw new OmniError('not-found', 'There is no such member.');
    return user;
  };

  const update = (tenant: string, { id, value, revision }: Stored<User>, change: Partial<User>): Writes => {
    const next = { ...value, ...change, updatedAt: isoTime(clock.now()) };
    return (transaction) => transaction.update(users.of(tenant), id, next, { revision });
  };

  const deleted = async (actor: Actor, user: Stored<User>): Promise<Writes> => {
    const { tenant } = actor;
    const guarded = await guard.without(tenant, user);
    const event = makeEvent(userRemoved, { tenant, subject: user.id, data: { user: user.id, ...doneByActor(actor) } });
    return (transaction) => {
      guarded(transaction);
      transaction.delete(users.of(tenant), user.id, { revision: user.revision });
      transaction.release(tenant, emailReservation, user.value.email);
      for (const tie of user.value.ties ?? []) transaction.release(tenant, tieReservation, tie);
      transaction.emit(event);
    };
  };

  const admitted = (tenant: string, user: Stored<User>, { name, passwordHash, roles: given }: NewMember): Admission => {
    if (user.value.status !== 'active') throw new OmniError('forbidden', 'This account is disabled.');
    const all = [...new Set([...user.value.roles, ...given])];
    // An account that nobody has proved to be theirs: what was set up in it may be somebody else's, and ends here.
    const { emailVerified: verified, passwordHash: _, ...rest } = user.value;
    const opened: User = {
      ...rest,
      emailVerified: true,
      epoch: rest.epoch + 1,
      roles: [...given],
      updatedAt: isoTime(clock.now()),
      ...(name === undefined ? {} : { name }),
      ...(passwordHash === undefined ? {} : { passwordHash }),
    };
    const write: Writes = verified
      ? update(tenant, user, { roles: all })
      : (transaction) => transaction.update(users.of(tenant), user.id, opened, { revision: user.revision });
    return { user: user.id, isNew: false, write };
  };

  const hash: Membership['hash'] = async (tenant, { password, email, name }) => {
    if (password === undefined) return undefined;
    await checkPassword(password, (await policy.of(tenant)).passwords, [email, name ?? '', tenant]);
    return passwords.hash(password);
  };

  return {
    hash,
    found: async (tenant, founder) => {
      const { email, name, locale } = founder;
      const passwordHash = await hash(tenant, founder);
      const id = newId('usr');
      const value = drafts.draft({ email, emailVerified: false, name, roles: ['owner'] });
      const link = { purpose: 'sign-up', user: id, email, epoch: 0, name, passwordHash, locale } as const;
      const mail = await links.make(tenant, link);
      const event = makeEvent(userSignedUp, { tenant, subject: id, data: { user: id, device: {} } });
      const write: Writes = (transaction) => {
        transaction.reserve(tenant, emailReservation, email, id);
        transaction.create(users.of(tenant), id, value);
        mail(transaction);
        transaction.emit(event);
      };
      return { user: id, write };
    },
    admit: async (tenant, member) => {
      const there = await drafts.findByEmail(tenant, member.email);
      if (there !== undefined) return admitted(tenant, there, member);
      const { passwordHash, ...rest } = member;
      const id = newId('usr');
      const value: User = {
        ...drafts.draft({ ...rest, emailVerified: true }),
        ...(passwordHash === undefined ? {} : { passwordHash }),
      };
      const write: Writes = (transaction) => {
        transaction.reserve(tenant, emailReservation, member.email, id);
        transaction.create(users.of(tenant), id, value);
      };
      return { user: id, isNew: true, write };
    },
    remove: async (actor, id) => {
      const user = await find(actor.tenant, id);
      await roles.requireGrantable(actor, user.value.roles);
      return deleted(actor, user);
    },
    leave: async (actor) => deleted(actor, await find(actor.tenant, actor.id)),
    passOwnership: async (tenant, from, to) => {
      const [giver, taker] = await Promise.all([find(tenant, from), find(tenant, to)]);
      const can = isOwner(giver.value) && taker.value.status === 'active' && taker.value.emailVerified;
      if (!can || from === to) throw new OmniError('precondition-failed', 'Ownership can not go this way any more.');
      const [old, next] = [
        [...new Set([...giver.value.roles.filter((role) => role !== 'owner'), 'admin'])],
        [...new Set([...taker.value.roles, 'owner'])],
      ];
      const pass = await guard.pass(tenant);
      const events = [
        makeEvent(userRolesChanged, {
          tenant,
          subject: from,
          data: { user: from, by: to, byKind: 'user', roles: old },
        }),
        makeEvent(userRolesChanged, { tenant, subject: to, data: { user: to, by: from, byKind: 'user', roles: next } }),
      ];
      return (transaction) => {
        pass(transaction);
        update(tenant, giver, { roles: old })(transaction);
        update(tenant, taker, { roles: next })(transaction);
        for (const event of events) transaction.emit(event);
      };
    },
    owners: (tenant) => guard.owners(tenant),
    count: async (tenant) => (await users.of(tenant).aggregate({})).count,
  };
};
