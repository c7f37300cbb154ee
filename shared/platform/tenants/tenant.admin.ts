import type { Actor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import { limitsOf, type TenantPlan } from '../plans/plan.schema.ts';
import type { TenantRecords } from './tenant.records.ts';
import {
  detailsOf,
  maxFormerSlugs,
  slugReservation,
  type Tenant,
  type TenantDetails,
  type TenantSettingsInput,
} from './tenant.schema.ts';
import type { TenantService } from './tenant.service.ts';

export interface TenantChangeInput {
  readonly name?: string | undefined;
  readonly settings?: TenantSettingsInput | undefined;
}

export interface TenantAdmin {
  get(actor: Actor): Promise<TenantDetails>;
  /** What anybody may know of an active tenant. Fails with `not-found`. */
  find(slug: string): Promise<Pick<TenantDetails, 'id' | 'slug' | 'name'>>;
  /** Settings are replaced whole. Fails with `precondition-failed` for more requests a minute than the plan gives. */
  change(actor: Actor, input: TenantChangeInput): Promise<TenantDetails>;
  /**
   * The old slug keeps leading here, and the three before it; what is older becomes free. Fails with `already-exists`
   * for one that somebody has or had.
   */
  changeSlug(actor: Actor, slug: string): Promise<TenantDetails>;
  /** By the platform alone. */
  setPlan(actor: Actor, tenant: string, plan: TenantPlan): Promise<TenantDetails>;
}

const reslugged = (tenant: Tenant, slug: string) => {
  const former = [tenant.slug, ...tenant.formerSlugs.filter((one) => one !== slug)];
  return { kept: former.slice(0, maxFormerSlugs), dropped: former.slice(maxFormerSlugs) };
};

export interface TenantAdminOptions {
  readonly records: TenantRecords;
  readonly tenants: Pick<TenantService, 'findBySlug'>;
}

export const createTenantAdmin = ({ records, tenants }: TenantAdminOptions): TenantAdmin => ({
  find: async (slug) => {
    const tenant = await tenants.findBySlug(slug);
    if (tenant?.status !== 'active') throw new OmniError('not-found', 'There is no such tenant.');
    return { id: tenant.id, slug: tenant.slug, name: tenant.name };
  },
  get: async ({ tenant }) => detailsOf(tenant, (await records.find(tenant)).value),
  change: async (actor, { name, settings }) => {
    const next = await records.change(actor, ({ value }) => {
      const limit = limitsOf(value.plan).requestsPerMinute;
      if (settings !== undefined && settings.requestsPerMinute > limit) {
        throw new OmniError('precondition-failed', `The plan of this tenant has ${limit} requests a minute.`);
      }
      return {
        value: { ...(name === undefined ? {} : { name }), ...(settings === undefined ? {} : { settings }) },
        action: 'platform.tenant.updated',
        data: { fields: [...(name === undefined ? [] : ['name']), ...(settings === undefined ? [] : ['settings'])] },
      };
    });
    return detailsOf(actor.tenant, next);
  },
  changeSlug: async (actor, slug) => {
    try {
      const next = await records.change(actor, ({ id, value }) => {
        if (value.slug === slug) return { value: {}, action: 'platform.tenant.slug-changed', data: { slug } };
        const { kept, dropped } = reslugged(value, slug);
        const isOwn = value.formerSlugs.includes(slug);
        return {
          value: { slug, formerSlugs: kept },
          action: 'platform.tenant.slug-changed',
          data: { slug, before: value.slug },
          write: (transaction) => {
            if (!isOwn) transaction.reserve(platformTenant, slugReservation, slug, id);
            for (const old of dropped) transaction.release(platformTenant, slugReservation, old);
          },
        };
      });
      return detailsOf(actor.tenant, next);
    } catch (error) {
      throw isOmniError(error, 'already-exists')
        ? new OmniError('already-exists', 'Another tenant has this name.')
        : error;
    }
  },
  setPlan: async (actor, tenant, plan) => {
    if (actor.kind !== 'system') throw new OmniError('forbidden', 'This is for the platform itself.');
    const by = { tenant, kind: actor.kind, id: actor.id };
    const data = { plan: plan.id, overrides: Object.keys(plan.overrides) };
    const next = await records.change(by, () => ({ value: { plan }, action: 'platform.tenant.plan-changed', data }));
    return detailsOf(tenant, next);
  },
});
