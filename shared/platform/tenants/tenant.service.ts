import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Store } from '../../store/store.ts';
import { type Tenant, tenantSettingsSchema } from './tenant.schema.ts';

export interface TenantView extends Tenant {
  readonly id: string;
}

export interface TenantService {
  /** Idempotent by id: an existing tenant stays as it is. */
  ensure(
    id: string,
    tenant: { readonly name: string; readonly settings?: Partial<Tenant['settings']> },
  ): Promise<TenantView>;
  /** Fails with `not-found`. */
  get(id: string): Promise<TenantView>;
  /** In order of id. For background work over all tenants. */
  list(request: PageRequest): Promise<Page<TenantView>>;
}

const idPattern = /^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/;

export const createTenantService = ({ tenants, clock }: { tenants: Store<Tenant>; clock: Clock }): TenantService => {
  const get = async (id: string): Promise<TenantView> => {
    const tenant = await tenants.get(id);
    if (tenant === undefined) throw new OmniError('not-found', 'There is no such tenant.');
    return { id, ...tenant.value };
  };
  return {
    get,
    ensure: async (id, { name, settings }) => {
      if (!idPattern.test(id)) throw new OmniError('invalid-request', 'A tenant id has letters, digits and hyphens.');
      const tenant: Tenant = {
        name,
        status: 'active',
        settings: tenantSettingsSchema.parse(settings ?? {}),
        createdAt: isoTime(clock.now()),
      };
      try {
        return { id, ...(await tenants.create(id, tenant)).value };
      } catch (error) {
        if (isOmniError(error, 'already-exists')) return get(id);
        throw error;
      }
    },
    list: async (request) => {
      const page = await tenants.query(request);
      return { ...page, items: page.items.map(({ id, value }) => ({ id, ...value })) };
    },
  };
};
