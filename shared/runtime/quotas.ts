import { type Clock, isoTime } from '../kernel/clock.ts';
import {
  createQuotas,
  customDomainCollection,
  dailyCountCollection,
  type Quotas,
  quotaGateCollection,
  type TenantService,
  tenantCollection,
} from '../platform/index.ts';
import { apiKeyCollection, storedFileCollection, userCollection } from '../security/index.ts';
import type { Database, Filter } from '../store/store.ts';

/** The quotas of tenants, counted where the things themselves are. */
export const openQuotas = (database: Database, tenants: TenantService, clock: Clock): Quotas => {
  const keys = database.platform(apiKeyCollection);
  const records = database.platform(tenantCollection);
  const users = database.tenants(userCollection);
  const domains = database.tenants(customDomainCollection);
  const files = database.tenants(storedFileCollection);
  const ofTenant = (tenant: string): Filter => ({ field: 'tenant', op: '==', value: tenant });
  return createQuotas({
    database,
    gates: database.tenants(quotaGateCollection),
    daily: database.tenants(dailyCountCollection),
    tenants,
    count: {
      members: async (tenant) => (await users.of(tenant).aggregate({})).count,
      apiKeys: async (tenant) => {
        // A revoked one has expired too.
        const over: Filter = { field: 'expiresAt', op: '<=', value: isoTime(clock.now()) };
        const [all, ended] = await Promise.all([
          keys.aggregate({ where: [ofTenant(tenant)] }),
          keys.aggregate({ where: [ofTenant(tenant), over] }),
        ]);
        return all.count - ended.count;
      },
      customDomains: async (tenant) => (await domains.of(tenant).aggregate({})).count,
      sandboxes: async (tenant) =>
        (await records.aggregate({ where: [{ field: 'sandboxOf', op: '==', value: tenant }] })).count,
    },
    storedBytes: async (tenant) => (await files.of(tenant).aggregate({ sum: ['bytes'] })).sum.bytes ?? 0,
    clock,
  });
};
