import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import { doneByActor, userRolesChanged, userStatusChanged } from './identity.events.ts';
import { isOwner, type OwnerGuard } from './owner-guard.ts';
import type { User, UserView } from './user.schema.ts';

export interface NewUser {
  /** In its one form. */
  readonly email: string;
  readonly emailVerified: boolean;
  readonly name?: string | undefined;
  readonly roles: readonly string[];
}

export interface UserService {
  /** Who has this address in this tenant. */
  findByEmail(tenant: string, email: string): Promise<Stored<User> | undefined>;
  /** A user's document, ready to be created together with `reserve(tenant, 'email', email, id)`. */
  draft(user: NewUser): User;
  /** For other domains, such as who accepts an invitation. Fails with `already-exists` for a taken address. */
  create(tenant: string, user: NewUser): Promise<UserView>;
  get(actor: Actor, id: string): Promise<UserView>;
  list(actor: Actor, request: PageRequest): Promise<Page<UserView>>;
  /**
   * Fails with `forbidden` where either the old or the new roles are more than the actor's own, and with
   * `precondition-failed` where no owner would be left.
   */
  setRoles(actor: Actor, id: string, roles: readonly string[]): Promise<UserView>;
  /** Who is disabled has no sessions any more. As for roles. */
  setStatus(actor: Actor, id: string, status: User['status']): Promise<UserView>;
}

export interface UserServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly users: TenantStore<User>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly guard: Pick<OwnerGuard, 'without'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const maxAttempts = 10;

/** The kind of reservation that keeps addresses unique in a tenant. */
export const emailReservation = 'email';
/** The kind that ties an account to one at an identity provider. */
export const tieReservation = 'oidc';

export const userViewOf = ({ id, value }: Pick<Stored<User>, 'id' | 'value'>): UserView => {
  const { passwordHash, passwordBy: _by, ties: _ties, epoch: _epoch, ...view } = value;
  return { id, ...view, hasPassword: passwordHash !== undefined };
};

export const createUserService = (options: UserServiceOptions): UserService => {
  const { database, users, roles, guard, makeEvent, newId, clock } = options;

  const find = async (tenant: string, id: string): Promise<Stored<User>> => {
    const user = await users.of(tenant).get(id);
    if (user === undefined) throw new OmniError('not-found', 'There is no such user.');
    return user;
  };

  const draft: UserService['draft'] = ({ email, emailVerified, name, roles: given }) => {
    const now = isoTime(clock.now());
    return {
      email,
      emailVerified,
      status: 'active',
      roles: [...new Set(given)],
      epoch: 0,
      createdAt: now,
      updatedAt: now,
      ...(name === undefined ? {} : { name }),
    };
  };

  /** With what sees to it that an owner is left. */
  const save = async ({ tenant }: Actor, user: Stored<User>, value: User, event: DomainEvent): Promise<void> => {
    const guarded = isOwner(value) ? () => {} : await guard.without(tenant, user);
    await database.transaction((transaction) => {
      guarded(transaction);
      transaction.update(users.of(tenant), user.id, value, { revision: user.revision });
      transaction.emit(event);
    });
  };

  return {
    draft,
    // One call whether or not there is one: how long it takes does not tell.
    findByEmail: async (tenant, email) =>
      (await users.of(tenant).query({ where: [{ field: 'email', op: '==', value: email }], limit: 1 })).items[0],
    create: async (tenant, user) => {
      const id = newId('usr');
      const value = draft(user);
      await database
        .transaction((transaction) => {
          transaction.reserve(tenant, emailReservation, user.email, id);
          transaction.create(users.of(tenant), id, value);
        })
        .catch((error: unknown) => {
          throw isOmniError(error, 'already-exists')
            ? new OmniError('already-exists', 'Somebody has this address already.')
            : error;
        });
      return userViewOf({ id, value });
    },
    get: async ({ tenant }, id) => userViewOf(await find(tenant, id)),
    list: async ({ tenant }, request) => {
      const page = await users.of(tenant).query(request);
      return { ...page, items: page.items.map(userViewOf) };
    },
    setRoles: (actor, id, given) =>
      retrying(maxAttempts, async () => {
        const { tenant } = actor;
        const user = await find(tenant, id);
        await roles.requireGrantable(actor, given);
        await roles.requireGrantable(actor, user.value.roles);
        const value: User = { ...user.value, roles: [...new Set(given)], updatedAt: isoTime(clock.now()) };
        const data = { user: id, ...doneByActor(actor), roles: value.roles };
        await save(actor, user, value, makeEvent(userRolesChanged, { tenant, subject: id, data }));
        return userViewOf({ id, value });
      }),
    setStatus: (actor, id, status) =>
      retrying(maxAttempts, async () => {
        const { tenant } = actor;
        const user = await find(tenant, id);
        await roles.requireGrantable(actor, user.value.roles);
        const epoch = user.value.epoch + (status === 'disabled' ? 1 : 0);
        const value: User = { ...user.value, status, epoch, updatedAt: isoTime(clock.now()) };
        const data = { user: id, ...doneByActor(actor), status };
        await save(actor, user, value, makeEvent(userStatusChanged, { tenant, subject: id, data }));
        return userViewOf({ id, value });
      }),
  };
};
