import type { Cache } from '../../cache/cache.ts';
import type { Actor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { type Branding, brandingSchema } from '../../messaging/index.ts';
import type { AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import type { TenantService } from '../tenants/tenant.service.ts';
import type { BrandingInput, StoredBranding } from './branding.schema.ts';

export interface BrandingService {
  get(actor: Actor): Promise<Branding>;
  /** Replaces all. */
  put(actor: Actor, branding: BrandingInput): Promise<Branding>;
  /** How a tenant's messages look. Up to 30 s old. */
  of(tenant: string): Promise<Branding>;
}

export interface BrandingOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly brandings: TenantStore<StoredBranding>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly audit: AuditLog;
  readonly cache: Cache;
}

const only = 'branding';
/** Seconds. */
const cacheFor = 30;
const maxAttempts = 10;
const keyOf = (tenant: string): string => `branding:${tenant}`;
const parse = (value: unknown): Branding => brandingSchema.parse(value);

export const createBrandingService = (options: BrandingOptions): BrandingService => {
  const { database, brandings, tenants, audit, cache } = options;
  const cached = cache.reader(cacheFor, parse);

  const read = async (tenant: string): Promise<Branding> => {
    const [stored, { name }] = await Promise.all([brandings.of(tenant).get(only), tenants.get(tenant)]);
    return parse({ name, ...stored?.value });
  };

  return {
    get: ({ tenant }) => read(tenant),
    of: (tenant) => cached(keyOf(tenant), () => read(tenant)),
    put: async (actor, { name, ...rest }) => {
      const { tenant } = actor;
      const store = brandings.of(tenant);
      const value: StoredBranding = { ...rest, ...(name === undefined ? {} : { name }) };
      await retrying(maxAttempts, async () => {
        const there = await store.get(only);
        await database
          .transaction(async (transaction) => {
            const target = { type: 'branding', id: tenant };
            await audit.record(transaction, actor, { action: 'platform.branding.updated', target, outcome: 'success' });
            if (there === undefined) transaction.create(store, only, value);
            else transaction.update(store, only, value, { revision: there.revision });
          })
          .catch((error: unknown) => {
            throw isOmniError(error, 'already-exists')
              ? new OmniError('revision-conflict', 'It was changed meanwhile.')
              : error;
          });
      });
      await cache.delete(keyOf(tenant));
      return read(tenant);
    },
  };
};
