import { type Actor, hasScope } from '../../kernel/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Store, TenantStore, Transaction } from '../../store/store.ts';
import type { ApiKey } from '../api-keys/api-key.schema.ts';
import type { User } from '../identity/user.schema.ts';
import { isUsable, type ServiceAccount } from '../service-accounts/service-account.schema.ts';
import { isBuiltInRole, scopesOfBuiltIn } from './permissions.ts';
import type { Role } from './role.schema.ts';

/** Who gave roles to somebody who takes them later: a person, an API key or service account, or a job of ours. */
export type Giver = Pick<Actor, 'kind' | 'id'>;

/**
 * Whether a giver could still give these roles. All of it is read in the transaction by which they are taken, before
 * its first write: a right that is taken away meanwhile makes that commit fail or look again. A person is asked after
 * by their roles of now; a key by its own scopes, or those of the key that it was rotated to, but never after it was
 * revoked; jobs of ours may give anything. False also where a role or the giver is gone, disabled or expired.
 */
export type MayStillGive = (
  transaction: Transaction,
  tenant: string,
  giver: Giver,
  roles: readonly string[],
) => Promise<boolean>;

export interface GivingOptions {
  readonly users: TenantStore<User>;
  readonly keys: Store<ApiKey>;
  readonly serviceAccounts: TenantStore<ServiceAccount>;
  readonly roles: TenantStore<Role>;
  readonly clock: Clock;
}

/** Rotations that are followed. Nobody rotates a key more often while an invitation is good. */
const maxRotations = 10;

export const mayStillGive = ({ users, keys, serviceAccounts, roles, clock }: GivingOptions): MayStillGive => {
  const now = () => clock.now();

  /** By name; a custom role that is no more has none. */
  const scopesByRole = async (transaction: Transaction, tenant: string, names: readonly string[]) =>
    new Map(
      await Promise.all(
        [...new Set(names)].map(async (name): Promise<[string, readonly string[] | undefined]> => {
          if (isBuiltInRole(name)) return [name, scopesOfBuiltIn(name)];
          return [name, (await transaction.get(roles.of(tenant), name))?.value.scopes];
        }),
      ),
    );

  const scopesOfKey = async (transaction: Transaction, tenant: string, first: string) => {
    let id: string | undefined = first;
    for (let hop = 0; hop <= maxRotations && id !== undefined; hop += 1) {
      const key: ApiKey | undefined = (await transaction.get(keys, id))?.value;
      if (key?.tenant !== tenant || key.revokedAt !== undefined) return undefined;
      if (key.expiresAt === undefined || Date.parse(key.expiresAt) > now()) return key.scopes;
      id = key.rotatedTo;
    }
    return undefined;
  };

  const scopesOfAccount = async (transaction: Transaction, tenant: string, id: string) => {
    const account = (await transaction.get(serviceAccounts.of(tenant), id))?.value;
    return account !== undefined && isUsable(account, now()) ? account.scopes : undefined;
  };

  const rolesOf = async (transaction: Transaction, tenant: string, id: string): Promise<readonly string[]> => {
    const user = (await transaction.get(users.of(tenant), id))?.value;
    return user?.status === 'active' ? user.roles : [];
  };

  return async (transaction, tenant, { kind, id }, given) => {
    if (kind === 'system') return true;
    const own = kind === 'user' ? await rolesOf(transaction, tenant, id) : [];
    const scopes = await scopesByRole(transaction, tenant, [...given, ...own]);
    const ofKey = id.startsWith('sva_') ? scopesOfAccount : scopesOfKey;
    const held = kind === 'user' ? own.flatMap((role) => scopes.get(role) ?? []) : await ofKey(transaction, tenant, id);
    const giver: Actor = { tenant, kind, id, scopes: new Set(held) };
    return given.every((role) => scopes.get(role)?.every((scope) => hasScope(giver, scope)) === true);
  };
};
