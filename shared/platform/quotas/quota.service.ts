import * as z from 'zod';
import { type Clock, isoDay, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { tenantCollection } from '../../store/collection.ts';
import { type Gate, gateSchema, openGate } from '../../store/gate.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, TenantStore, Transaction } from '../../store/store.ts';
import { type LimitName, limitsOf } from '../plans/plan.schema.ts';
import type { TenantService } from '../tenants/tenant.service.ts';

/** What is counted where it is, so that no counter can differ from it. */
export type CountedLimit = Extract<LimitName, 'members' | 'apiKeys' | 'customDomains' | 'sandboxes'>;

/** One document for each counted limit; every taking passes through it. */
export const quotaGateCollection = tenantCollection<Gate>({ name: 'quotaGates', schema: gateSchema });

const dailySchema = z.object({ used: z.int().min(0), expiresAt: z.iso.datetime() });
export type DailyCount = z.infer<typeof dailySchema>;
/** What was done on one day: by what it is and the day. */
export const dailyCountCollection = tenantCollection<DailyCount>({
  name: 'dailyCounts',
  schema: dailySchema,
  ttl: 'expiresAt',
});

export const quotaUsageSchema = z
  .object({
    name: z.string(),
    limit: z.int(),
    used: z.int().nullable().meta({ description: 'Null where it is not kept count of.' }),
  })
  .meta({ id: 'QuotaUsage' });
export type QuotaUsage = z.infer<typeof quotaUsageSchema>;

/** A part of the caller's transaction. */
export type QuotaWrite = (transaction: Transaction) => void;

export interface Quotas {
  /**
   * Takes one unit in the transaction that makes what it is for. `prepare` reads and returns the writes; it runs again
   * while others take units too, so it must have no effect of its own. Of twenty who want the last unit one gets it; the
   * others fail with `precondition-failed`.
   */
  take<R>(
    tenant: string,
    limit: CountedLimit,
    prepare: () => Promise<(transaction: Transaction) => Promise<R> | R>,
  ): Promise<R>;
  /** One unit as a part of a transaction that somebody else runs, and repeats on `revision-conflict`. */
  unit(tenant: string, limit: CountedLimit): Promise<QuotaWrite>;
  /**
   * Room for so many bytes of files more, as a part of a transaction in which they are counted, and which is repeated
   * on `revision-conflict`. Fails with `precondition-failed`. Nothing to write for none.
   */
  bytes(tenant: string, more: number): Promise<QuotaWrite>;
  /** One of a day's units of the tenant's plan. Fails with `rate-limited`. */
  daily(tenant: string, limit: 'invitationsPerDay'): Promise<QuotaWrite>;
  /** One of `limit` a day of something that the platform itself bounds. Fails with `rate-limited`. */
  dailyOf(tenant: string, what: string, limit: number): Promise<QuotaWrite>;
  usage(tenant: string): Promise<readonly QuotaUsage[]>;
}

export interface QuotaOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly gates: TenantStore<Gate>;
  readonly daily: TenantStore<DailyCount>;
  readonly tenants: Pick<TenantService, 'get'>;
  /** How many there are now. Must be read from the store itself, not from a cache. */
  readonly count: Readonly<Record<CountedLimit, (tenant: string) => Promise<number>>>;
  /** Bytes of files that there are, or that room was taken for. As `count`. */
  readonly storedBytes: (tenant: string) => Promise<number>;
  readonly clock: Clock;
}

/** Of n callers at once one gets through in each round. */
const maxAttempts = 40;
const dayLength = 86_400_000;

const names: Readonly<Record<LimitName, string>> = {
  members: 'members',
  apiKeys: 'API keys',
  requestsPerMinute: 'requests a minute',
  storageBytes: 'bytes of files',
  customDomains: 'custom domains',
  sandboxes: 'sandboxes',
  invitationsPerDay: 'invitations a day',
};

export const createQuotas = (options: QuotaOptions): Quotas => {
  const { database, gates, daily, tenants, count, storedBytes, clock } = options;

  const limitFor = async (tenant: string, name: LimitName): Promise<number> =>
    limitsOf((await tenants.get(tenant)).plan)[name];

  const noRoom = (limit: number, name: LimitName) =>
    new OmniError('precondition-failed', `The plan of this tenant has ${limit} ${names[name]}, and no more.`);

  const unit: Quotas['unit'] = async (tenant, name) => {
    const [limit, pass] = await Promise.all([limitFor(tenant, name), openGate(gates.of(tenant), name)]);
    // Counted after the gate was read: who made one since has passed it, and this one's commit fails.
    if ((await count[name](tenant)) >= limit) {
      throw noRoom(limit, name);
    }
    return pass;
  };

  const bytes: Quotas['bytes'] = async (tenant, more) => {
    if (more <= 0) return () => {};
    const name = 'storageBytes';
    const [limit, pass] = await Promise.all([limitFor(tenant, name), openGate(gates.of(tenant), name)]);
    if ((await storedBytes(tenant)) + more > limit) throw noRoom(limit, name);
    return pass;
  };

  const dailyId = (what: string): string => `${what}~${isoDay(clock.now())}`;

  const dailyOf: Quotas['dailyOf'] = async (tenant, what, limit) => {
    const store = daily.of(tenant);
    const id = dailyId(what);
    const there = await store.get(id);
    const now = clock.now();
    if ((there?.value.used ?? 0) >= limit) {
      const retryAfter = Math.ceil((dayLength - (now % dayLength)) / 1000);
      throw new OmniError('rate-limited', 'The limit of this day is used up.', { retryAfter });
    }
    if (there !== undefined) {
      const value = { ...there.value, used: there.value.used + 1 };
      return (transaction) => transaction.update(store, id, value, { revision: there.revision });
    }
    // Made first, so that a conflict is always one of revisions, which callers repeat.
    await store.increment(id, { used: 0 }, { expiresAt: isoTime(now + 2 * dayLength) });
    return dailyOf(tenant, what, limit);
  };

  const counted = (limits: Readonly<Record<LimitName, number>>, tenant: string) => async (name: CountedLimit) => ({
    name,
    limit: limits[name],
    used: await count[name](tenant),
  });

  return {
    unit,
    bytes,
    dailyOf,
    daily: async (tenant, name) => dailyOf(tenant, name, await limitFor(tenant, name)),
    take: (tenant, name, prepare) =>
      retrying(maxAttempts, async () => {
        const pass = await unit(tenant, name);
        const work = await prepare();
        return database.transaction(async (transaction) => {
          const result = await work(transaction);
          pass(transaction);
          return result;
        });
      }),
    usage: async (tenant) => {
      const limits = limitsOf((await tenants.get(tenant)).plan);
      const hard = await Promise.all(
        (['members', 'apiKeys', 'customDomains', 'sandboxes'] as const).map(counted(limits, tenant)),
      );
      const today = (await daily.of(tenant).get(dailyId('invitationsPerDay')))?.value.used ?? 0;
      return [
        ...hard,
        { name: 'invitationsPerDay', limit: limits.invitationsPerDay, used: today },
        { name: 'requestsPerMinute', limit: limits.requestsPerMinute, used: null },
        { name: 'storageBytes', limit: limits.storageBytes, used: await storedBytes(tenant) },
      ];
    },
  };
};
