import { OmniError } from '../../kernel/errors.ts';
import { tenantCollection } from '../../store/collection.ts';
import { type Gate, gateSchema, openGate } from '../../store/gate.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { Writes } from './links.ts';
import type { User } from './user.schema.ts';

/** What has passed in a tenant that could leave it without an owner: one document. */
export const ownerGateCollection = tenantCollection<Gate>({ name: 'ownerGates', schema: gateSchema });

/** Sees to it that a tenant never loses its last owner, however many of them leave at once. */
export interface OwnerGuard {
  /** Belongs into the transaction that takes the role, or the account, from this user. Fails with `precondition-failed`. */
  without(tenant: string, user: Stored<User>): Promise<Writes>;
  /** For a change that keeps the number of owners. */
  pass(tenant: string): Promise<Writes>;
  /** Who can act as one now, at most 50. */
  owners(tenant: string): Promise<readonly Stored<User>[]>;
}

const ownerRole = 'owner';
const maxOwners = 50;

export const isOwner = ({ roles, status, emailVerified }: User): boolean =>
  roles.includes(ownerRole) && status === 'active' && emailVerified;

export interface OwnerGuardOptions {
  readonly gates: TenantStore<Gate>;
  readonly users: TenantStore<User>;
}

export const createOwnerGuard = ({ gates, users }: OwnerGuardOptions): OwnerGuard => {
  const owners: OwnerGuard['owners'] = async (tenant) => {
    const where = [{ field: 'roles', op: 'contains', value: ownerRole }] as const;
    const { items } = await users.of(tenant).query({ where, limit: maxOwners });
    return items.filter(({ value }) => isOwner(value));
  };
  const pass = (tenant: string): Promise<Writes> => openGate(gates.of(tenant), ownerRole);
  return {
    owners,
    pass,
    without: async (tenant, user) => {
      if (!isOwner(user.value)) return () => {};
      const write = await pass(tenant);
      if ((await owners(tenant)).every(({ id }) => id === user.id)) {
        throw new OmniError('precondition-failed', 'This is the last owner. Make somebody else an owner first.');
      }
      return write;
    },
  };
};
