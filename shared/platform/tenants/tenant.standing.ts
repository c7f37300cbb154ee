import type { Clock } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { Store } from '../../store/store.ts';
import type { Tenant, Tombstone } from './tenant.schema.ts';
import type { TenantService } from './tenant.service.ts';

/**
 * What may still be kept for a tenant by who does not ask for it with a credential of the tenant's. `open`: anything.
 * `closing`: nothing new, though it may yet be restored. `erasing` and `gone`: nothing, for good.
 */
export type Standing = 'open' | 'closing' | 'erasing' | 'gone';

/** Asks the store at most twice a minute for each tenant. */
export type StandingOf = (tenant: string) => Promise<Standing>;

/**
 * Milliseconds before its erasure may begin at which a tenant closes: what is under way then has ended by that time.
 */
export const settle = 10 * 60_000;

/** Milliseconds for which an instance trusts that a tenant is open. */
const trust = 30_000;
const maxKnown = 10_000;

/** Milliseconds since the Unix epoch. */
const closesAt = ({ status, deletion }: Pick<Tenant, 'status' | 'deletion'>): number =>
  status === 'deleting' && deletion !== undefined ? Date.parse(deletion.eraseAt) - settle : Number.POSITIVE_INFINITY;

export const tenantStanding = ({
  tenants,
  clock,
}: {
  readonly tenants: Pick<TenantService, 'get'>;
  readonly clock: Clock;
}): StandingOf => {
  const openUntil = new Map<string, number>();

  return async (id) => {
    const now = clock.now();
    const until = openUntil.get(id) ?? 0;
    // A clock that was set back must not make anything live longer.
    if (now < until && now >= until - trust) return 'open';
    openUntil.delete(id);
    const tenant = await tenants.get(id).catch((error: unknown) => {
      if (isOmniError(error, 'not-found')) return undefined;
      throw error;
    });
    if (tenant === undefined) return 'gone';
    if (tenant.status === 'erasing') return 'erasing';
    if (closesAt(tenant) <= now) return 'closing';
    if (openUntil.size >= maxKnown) openUntil.clear();
    // Never past its end. Whoever is not to be erased by now is not for another ten minutes.
    openUntil.set(id, Math.min(now + trust, closesAt(tenant)));
    return 'open';
  };
};

/**
 * Whether a tenant was erased, and not only is not there. One of which an instance knows that it is open costs no read.
 */
export const erasedTenants = (
  options: Parameters<typeof tenantStanding>[0] & { readonly tombstones: Store<Tombstone> },
) => {
  const standingOf = tenantStanding(options);
  return async (tenant: string): Promise<boolean> =>
    tenant !== platformTenant &&
    (await standingOf(tenant)) === 'gone' &&
    (await options.tombstones.get(tenant)) !== undefined;
};
