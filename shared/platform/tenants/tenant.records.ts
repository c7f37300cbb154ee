import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import type { AuditActor, AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Store, Stored, Transaction } from '../../store/store.ts';
import { type Tenant, tenantSchema } from './tenant.schema.ts';

export interface TenantChange {
  readonly value: Partial<Tenant>;
  /** Fields that are to be gone. */
  readonly without?: readonly (keyof Tenant)[];
  /** `platform.tenant.suspended`. */
  readonly action: string;
  readonly data?: JsonObject;
  readonly write?: (transaction: Transaction) => void | Promise<void>;
}

/** How the rest of the platform reaches the records of tenants. */
export interface TenantRecords {
  /** Fails with `not-found`. */
  find(id: string): Promise<Stored<Tenant>>;
  /** A changed record, with the audit entry of it and what else belongs to it, as part of a transaction. */
  write(transaction: Transaction, by: AuditActor, tenant: Stored<Tenant>, change: TenantChange): Promise<Tenant>;
  /** The same in a transaction of its own; again while others change it. */
  change(by: AuditActor, next: (tenant: Stored<Tenant>) => Promise<TenantChange> | TenantChange): Promise<Tenant>;
}

export interface TenantRecordsOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly tenants: Store<Tenant>;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

const maxAttempts = 25;

export const createTenantRecords = ({ database, tenants, audit, clock }: TenantRecordsOptions): TenantRecords => {
  const find = async (id: string): Promise<Stored<Tenant>> => {
    const tenant = await tenants.get(id);
    if (tenant === undefined) throw new OmniError('not-found', 'There is no such tenant.');
    return tenant;
  };
  const write: TenantRecords['write'] = async (transaction, by, { id, value: before, revision }, change) => {
    const { value, without = [], action, data = {}, write: also = () => {} } = change;
    const changed: Tenant = tenantSchema.parse({
      ...before,
      ...value,
      ...Object.fromEntries(without.map((field) => [field, undefined])),
      updatedAt: isoTime(clock.now()),
    });
    await audit.record(transaction, by, { action, target: { type: 'tenant', id }, outcome: 'success', data });
    transaction.update(tenants, id, changed, { revision });
    await also(transaction);
    return changed;
  };

  return {
    find,
    write,
    change: (by, next) =>
      retrying(maxAttempts, async () => {
        const tenant = await find(by.tenant);
        const change = await next(tenant);
        return database.transaction((transaction) => write(transaction, by, tenant, change));
      }),
  };
};
