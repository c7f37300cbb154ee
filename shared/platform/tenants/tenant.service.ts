import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Store } from '../../store/store.ts';
import { limitsOf } from '../plans/plan.schema.ts';
import { slugReservation, type Tenant, tenantSettingsSchema } from './tenant.schema.ts';

export interface TenantView extends Tenant {
  readonly id: string;
}

export interface TenantService {
  /** Idempotent by id, which is its slug too: an existing tenant stays as it is. By the platform itself: plan enterprise. */
  ensure(
    id: string,
    tenant: { readonly name: string; readonly settings?: Partial<Tenant['settings']> },
  ): Promise<TenantView>;
  /** Fails with `not-found`, also for an erased one. A sandbox has its tenant's status where that is not active. */
  get(id: string): Promise<TenantView>;
  /** By its slug or a former one. */
  findBySlug(slug: string): Promise<TenantView | undefined>;
  /** In order of id. For background work over all tenants. */
  list(request: PageRequest): Promise<Page<TenantView>>;
}

export interface TenantServiceOptions {
  readonly database: Pick<Database, 'transaction' | 'ownerOf'>;
  readonly tenants: Store<Tenant>;
  readonly clock: Clock;
}

const idPattern = /^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/;

/** What holds now: a plan that gives less than before does so at once. */
const viewOf = (id: string, value: Tenant): TenantView => {
  const requestsPerMinute = Math.min(value.settings.requestsPerMinute, limitsOf(value.plan).requestsPerMinute);
  return { id, ...value, settings: { ...value.settings, requestsPerMinute } };
};

export const createTenantService = ({ database, tenants, clock }: TenantServiceOptions): TenantService => {
  /** A sandbox is no more active than its tenant is, whose suspension or deletion does not change its record. */
  const withParent = async (tenant: TenantView): Promise<TenantView> => {
    if (tenant.sandboxOf === undefined || tenant.status !== 'active') return tenant;
    const parent = await tenants.get(tenant.sandboxOf);
    return { ...tenant, status: parent?.value.status ?? 'deleting' };
  };
  const get = async (id: string): Promise<TenantView> => {
    const tenant = await tenants.get(id);
    if (tenant === undefined) throw new OmniError('not-found', 'There is no such tenant.');
    return withParent(viewOf(id, tenant.value));
  };
  return {
    get,
    ensure: async (id, { name, settings }) => {
      if (!idPattern.test(id)) throw new OmniError('invalid-request', 'A tenant id has letters, digits and hyphens.');
      const now = isoTime(clock.now());
      const tenant: Tenant = {
        name,
        slug: id,
        formerSlugs: [],
        status: 'active',
        settings: tenantSettingsSchema.parse(settings ?? {}),
        plan: { id: 'enterprise', overrides: {} },
        restoreHashes: [],
        createdAt: now,
        updatedAt: now,
      };
      try {
        await database.transaction((transaction) => {
          transaction.reserve(platformTenant, slugReservation, id, id);
          transaction.create(tenants, id, tenant);
        });
        return viewOf(id, tenant);
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        const there = await tenants.get(id);
        if (there === undefined) throw error;
        return viewOf(id, there.value);
      }
    },
    findBySlug: async (slug) => {
      const id = await database.ownerOf(platformTenant, slugReservation, slug);
      const tenant = id === undefined ? undefined : await tenants.get(id);
      return tenant && withParent(viewOf(tenant.id, tenant.value));
    },
    list: async (request) => {
      const page = await tenants.query(request);
      return { ...page, items: page.items.map(({ id, value }) => viewOf(id, value)) };
    },
  };
};
