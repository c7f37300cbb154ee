import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { NewId } from '../../kernel/ids.ts';
import { sha256 } from '../../kernel/json.ts';
import type { AuditLog, Membership } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Store } from '../../store/store.ts';
import type { Quotas } from '../quotas/quota.service.ts';
import { detailsOf, slugReservation, type Tenant, type TenantDetails, tenantSettingsSchema } from './tenant.schema.ts';

export interface NewTenant {
  readonly slug: string;
  readonly name: string;
  /** Of the first owner, in its one form. */
  readonly email: string;
  readonly ownerName?: string | undefined;
  readonly password?: string | undefined;
  /** BCP 47: of the tenant and of the mail. */
  readonly locale?: string | undefined;
}

export interface TenantCreation {
  /**
   * A tenant of the plan `free`, whose first owner gets the link of a sign-up. Of twenty who want one slug, one gets it.
   * What nobody verifies in 48 hours is erased. Fails with `already-exists`, with `rate-limited` after ten a day from
   * one network or three for one address, and with `invalid-request` for a weak password.
   */
  create(tenant: NewTenant, ip: string | undefined): Promise<TenantDetails>;
}

export interface TenantCreationOptions {
  readonly database: Pick<Database, 'transaction' | 'ownerOf'>;
  readonly tenants: Store<Tenant>;
  readonly membership: Pick<Membership, 'found'>;
  readonly quotas: Pick<Quotas, 'dailyOf'>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

const perNetwork = 10;
const perAddress = 3;
/** Milliseconds. Twice as long as the link is good, so that a second one can be asked for. */
const probation = 48 * 3_600_000;
const maxAttempts = 25;

/** Ids are in links and paths of blobs: lower case, and never somebody's name. */
export const newTenantId = (newId: NewId): string =>
  newId('t')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '');

/** IPv6 subscribers have a /64 each. */
const networkOf = (ip: string | undefined): string => {
  if (ip === undefined || !ip.includes(':')) return ip ?? 'unknown';
  const [head = '', tail] = ip.split('::');
  const [left, right] = [head.split(':').filter(Boolean), (tail ?? '').split(':').filter(Boolean)];
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
};

export const taken = (error: unknown): unknown =>
  isOmniError(error, 'already-exists') ? new OmniError('already-exists', 'Another tenant has this name.') : error;

export const createTenantCreation = (options: TenantCreationOptions): TenantCreation => {
  const { database, tenants, membership, quotas, audit, newId, clock } = options;

  const recordOf = ({ slug, name, locale }: NewTenant): Tenant => {
    const now = clock.now();
    const ends = isoTime(now + probation);
    return {
      name,
      slug,
      formerSlugs: [],
      status: 'active',
      settings: tenantSettingsSchema.parse({ requestsPerMinute: 300, ...(locale === undefined ? {} : { locale }) }),
      plan: { id: 'free', overrides: {} },
      probationUntil: ends,
      dueAt: ends,
      restoreHashes: [],
      createdAt: isoTime(now),
      updatedAt: isoTime(now),
    };
  };

  return {
    create: async (input, ip) => {
      const { slug, email } = input;
      if ((await database.ownerOf(platformTenant, slugReservation, slug)) !== undefined) {
        throw new OmniError('already-exists', 'Another tenant has this name.');
      }
      const id = newTenantId(newId);
      const founder = await membership.found(id, { ...input, name: input.ownerName });
      const value = recordOf(input);
      return retrying(maxAttempts, async () => {
        const [network, address] = [
          await quotas.dailyOf(platformTenant, `tenants-from-${sha256(networkOf(ip))}`, perNetwork),
          await quotas.dailyOf(platformTenant, `tenants-for-${sha256(email)}`, perAddress),
        ];
        await database.transaction(async (transaction) => {
          await audit.record(
            transaction,
            { tenant: id, kind: 'user', id: founder.user },
            {
              action: 'platform.tenant.created',
              target: { type: 'tenant', id },
              outcome: 'success',
              data: { slug },
            },
          );
          network(transaction);
          address(transaction);
          transaction.reserve(platformTenant, slugReservation, slug, id);
          transaction.create(tenants, id, value);
          founder.write(transaction);
        });
        return detailsOf(id, value);
      }).catch((error: unknown) => {
        throw taken(error);
      });
    },
  };
};
