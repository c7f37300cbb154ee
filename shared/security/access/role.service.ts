import { type Actor, requireScopes } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, TenantStore, Transaction } from '../../store/store.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import type { AddOne } from './bounded.ts';
import { builtInRoles, isBuiltInRole, permissions, scopesOfBuiltIn } from './permissions.ts';
import type { Role, RoleInput, RoleView } from './role.schema.ts';

export interface RoleService {
  /** The scopes of all these roles together. A role that is no more gives none. */
  scopesOf(tenant: string, roles: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Refuses, with `forbidden`, to give away what the actor does not have; with `invalid-request`, a role that the
   * tenant does not have.
   */
  requireGrantable(actor: Actor, roles: readonly string[]): Promise<void>;
  /** Built-in ones first. */
  list(actor: Actor): Promise<readonly RoleView[]>;
  /**
   * Makes or replaces a custom role. Fails with `forbidden` for scopes that the actor lacks, and with
   * `precondition-failed` where there are 200 already.
   */
  put(actor: Actor, name: string, role: RoleInput): Promise<RoleView>;
  /** Idempotent. Whoever has the role loses what it gave. */
  remove(actor: Actor, name: string): Promise<void>;
}

export interface RoleServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly roles: TenantStore<Role>;
  readonly addOne: AddOne;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

/** Custom roles of one tenant: few enough to be listed in one page. */
const maxRoles = 200;

export const createRoleService = ({ database, roles, addOne, audit, clock }: RoleServiceOptions): RoleService => {
  const record = (transaction: Transaction, actor: Actor, action: string, name: string, scopes: readonly string[]) =>
    audit.record(transaction, actor, {
      action: `security.role.${action}`,
      target: { type: 'role', id: name },
      outcome: 'success',
      data: { scopes },
    });

  const custom = async (tenant: string, names: readonly string[]): Promise<readonly (Role | undefined)[]> =>
    names.length === 0 ? [] : (await roles.of(tenant).getMany(names)).map((stored) => stored?.value);

  const scopesOf: RoleService['scopesOf'] = async (tenant, names) => {
    const own = await custom(
      tenant,
      names.filter((name) => !isBuiltInRole(name)),
    );
    return new Set([
      ...names.filter(isBuiltInRole).flatMap(scopesOfBuiltIn),
      ...own.flatMap((role) => role?.scopes ?? []),
    ]);
  };

  return {
    scopesOf,
    requireGrantable: async (actor, names) => {
      const own = names.filter((name) => !isBuiltInRole(name));
      const found = await custom(actor.tenant, own);
      const missing = own.filter((_name, i) => found[i] === undefined);
      if (missing.length > 0) {
        throw new OmniError('invalid-request', 'Some roles do not exist.', {
          issues: missing.map((name) => ({ path: 'body.roles', message: `There is no role ${name}` })),
        });
      }
      requireScopes(actor, [...(await scopesOf(actor.tenant, names))]);
    },
    list: async ({ tenant }) => {
      const { items } = await roles.of(tenant).query({ limit: maxRoles });
      const builtIn = builtInRoles.map((name) => ({
        name,
        description: '',
        scopes: name === 'owner' ? Object.keys(permissions) : scopesOfBuiltIn(name),
        builtIn: true,
      }));
      const own = items.map(({ id, value: { description, scopes } }) => ({
        name: id,
        description,
        scopes,
        builtIn: false,
      }));
      return [...builtIn, ...own];
    },
    put: async (actor, name, { description = '', scopes }) => {
      requireScopes(actor, scopes);
      const store = roles.of(actor.tenant);
      const now = isoTime(clock.now());
      const before = await store.get(name);
      const role: Role = {
        description,
        scopes: [...new Set(scopes)],
        createdAt: before?.value.createdAt ?? now,
        updatedAt: now,
      };
      if (before !== undefined) {
        await database.transaction(async (transaction) => {
          transaction.update(store, name, role, { revision: before.revision });
          await record(transaction, actor, 'updated', name, role.scopes);
        });
      } else {
        const bound = { what: 'roles', limit: maxRoles };
        const write = async (transaction: Transaction) => {
          transaction.create(store, name, role);
          await record(transaction, actor, 'created', name, role.scopes);
        };
        await addOne(actor.tenant, store, bound, write).catch((error: unknown) => {
          throw isOmniError(error, 'already-exists')
            ? new OmniError('revision-conflict', 'The role was made meanwhile.')
            : error;
        });
      }
      return { name, description, scopes: role.scopes, builtIn: false };
    },
    remove: (actor, name) =>
      database.transaction(async (transaction) => {
        const store = roles.of(actor.tenant);
        const before = await transaction.get(store, name);
        if (before === undefined) return;
        transaction.delete(store, name);
        await record(transaction, actor, 'removed', name, before.value.scopes);
      }),
  };
};
