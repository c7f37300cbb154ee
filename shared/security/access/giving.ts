import { type Actor, hasScope } from '../../kernel/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
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

/** Roles that somebody wants to have given. */
export interface Offer {
  readonly giver: Giver;
  readonly roles: readonly string[];
}

/**
 * The same for many at once, as it is now and outside of a transaction: in the order of the offers. Each giver and each
 * role is read once, and all of a kind together, however many offers are of them.
 */
export type CouldStillGive = (tenant: string, offers: readonly Offer[]) => Promise<readonly boolean[]>;

export interface GivingOptions {
  readonly users: TenantStore<User>;
  readonly keys: Store<ApiKey>;
  readonly serviceAccounts: TenantStore<ServiceAccount>;
  readonly roles: TenantStore<Role>;
  readonly clock: Clock;
}

type Found<T> = Stored<T> | undefined;

/** Where it is looked up what somebody may. */
interface Sight {
  readonly user: (id: string) => Promise<Found<User>> | Found<User>;
  readonly key: (id: string) => Promise<Found<ApiKey>> | Found<ApiKey>;
  readonly account: (id: string) => Promise<Found<ServiceAccount>> | Found<ServiceAccount>;
  readonly role: (name: string) => Promise<Found<Role>> | Found<Role>;
}

/** Rotations that are followed. Nobody rotates a key more often while an invitation is good. */
const maxRotations = 10;
/** Documents in one round trip. */
const together = 1_000;

const isAccount = (id: string): boolean => id.startsWith('sva_');

const isRevoked = (tenant: string, key: ApiKey | undefined): boolean =>
  key?.tenant !== tenant || key.revokedAt !== undefined;
const isExpired = ({ expiresAt }: ApiKey, now: number): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= now;

/** Of a person who may sign in. */
const rolesOf = (user: User | undefined): readonly string[] => (user?.status === 'active' ? user.roles : []);

/** By name; a custom role that is no more has none. */
const scopesByRole = async (sight: Sight, names: readonly string[]) =>
  new Map(
    await Promise.all(
      [...new Set(names)].map(async (name): Promise<[string, readonly string[] | undefined]> => {
        if (isBuiltInRole(name)) return [name, scopesOfBuiltIn(name)];
        return [name, (await sight.role(name))?.value.scopes];
      }),
    ),
  );

const scopesOfKey = async (sight: Sight, tenant: string, first: string, now: number) => {
  let id: string | undefined = first;
  for (let hop = 0; hop <= maxRotations && id !== undefined; hop += 1) {
    const key: ApiKey | undefined = (await sight.key(id))?.value;
    if (key === undefined || isRevoked(tenant, key)) return undefined;
    if (!isExpired(key, now)) return key.scopes;
    id = key.rotatedTo;
  }
  return undefined;
};

const scopesOfAccount = async (sight: Sight, id: string, now: number) => {
  const account = (await sight.account(id))?.value;
  return account !== undefined && isUsable(account, now) ? account.scopes : undefined;
};

const isGiveable = async (sight: Sight, tenant: string, { giver: { kind, id }, roles }: Offer, now: number) => {
  if (kind === 'system') return true;
  const own = kind === 'user' ? rolesOf((await sight.user(id))?.value) : [];
  const scopes = await scopesByRole(sight, [...roles, ...own]);
  const ofKey = () => (isAccount(id) ? scopesOfAccount(sight, id, now) : scopesOfKey(sight, tenant, id, now));
  const held = kind === 'user' ? own.flatMap((role) => scopes.get(role) ?? []) : await ofKey();
  const actor: Actor = { tenant, kind, id, scopes: new Set(held) };
  return roles.every((role) => scopes.get(role)?.every((scope) => hasScope(actor, scope)) === true);
};

export const mayStillGive =
  ({ users, keys, serviceAccounts, roles, clock }: GivingOptions): MayStillGive =>
  (transaction, tenant, giver, given) => {
    const sight: Sight = {
      user: (id) => transaction.get(users.of(tenant), id),
      key: (id) => transaction.get(keys, id),
      account: (id) => transaction.get(serviceAccounts.of(tenant), id),
      role: (name) => transaction.get(roles.of(tenant), name),
    };
    return isGiveable(sight, tenant, { giver, roles: given }, clock.now());
  };

/** Reads each document once, by its id. */
const readAll = async <T extends object>(store: Store<T>, ids: readonly string[]): Promise<Map<string, Stored<T>>> => {
  const distinct = [...new Set(ids)];
  const pages = Array.from({ length: Math.ceil(distinct.length / together) }, (_, i) =>
    store.getMany(distinct.slice(i * together, (i + 1) * together)),
  );
  const found = (await Promise.all(pages)).flat();
  return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.id, one]])));
};

/** Keys, and those that took the place of what has expired. */
const readKeys = async (store: Store<ApiKey>, ids: readonly string[], now: number) => {
  const found = await readAll(store, ids);
  let latest = [...found.values()];
  for (let hop = 0; hop < maxRotations && latest.length > 0; hop += 1) {
    const next = latest.flatMap(({ value }) => (isExpired(value, now) ? (value.rotatedTo ?? []) : []));
    latest = [
      ...(
        await readAll(
          store,
          next.filter((id) => !found.has(id)),
        )
      ).values(),
    ];
    for (const key of latest) found.set(key.id, key);
  }
  return found;
};

export const couldStillGive =
  ({ users, keys, serviceAccounts, roles, clock }: GivingOptions): CouldStillGive =>
  async (tenant, offers) => {
    const now = clock.now();
    const idsOf = (kind: Giver['kind']) => offers.flatMap(({ giver }) => (giver.kind === kind ? [giver.id] : []));
    const [people, keyring, accounts] = await Promise.all([
      readAll(users.of(tenant), idsOf('user')),
      readKeys(
        keys,
        idsOf('key').filter((id) => !isAccount(id)),
        now,
      ),
      readAll(serviceAccounts.of(tenant), idsOf('key').filter(isAccount)),
    ]);
    const names = [
      ...offers.flatMap((offer) => offer.roles),
      ...[...people.values()].flatMap((one) => one.value.roles),
    ];
    const custom = await readAll(
      roles.of(tenant),
      names.filter((name) => !isBuiltInRole(name)),
    );
    const sight: Sight = {
      user: (id) => people.get(id),
      key: (id) => keyring.get(id),
      account: (id) => accounts.get(id),
      role: (name) => custom.get(name),
    };
    return Promise.all(offers.map((offer) => isGiveable(sight, tenant, offer, now)));
  };
