import * as z from 'zod';
import type { Cache } from '../../cache/cache.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import { isWithin, parseAddress, parseRanges } from './ip-ranges.ts';
import {
  type SecurityPolicy,
  type SecurityPolicyView,
  type StoredSecurityPolicy,
  securityPolicySchema,
} from './security-policy.schema.ts';

export interface PolicyUpdate {
  readonly policy: SecurityPolicy;
  /** The revision that the change was made on. */
  readonly expected: number;
  /** From where the actor calls. */
  readonly address: string | undefined;
  /** Goes through with an allow-list that shuts the actor out. */
  readonly force: boolean;
}

export interface SecurityPolicyService {
  get(actor: Actor): Promise<SecurityPolicyView>;
  /**
   * Replaces the policy. Fails with `precondition-failed` when it was changed meanwhile, and with `invalid-request` for
   * an allow-list without the actor's own address.
   */
  update(actor: Actor, update: PolicyUpdate): Promise<SecurityPolicyView>;
  /** What holds in a tenant, for whoever enforces it. Up to 30 s old. */
  of(tenant: string): Promise<SecurityPolicy>;
  /** The same, with the time from which it holds who needs a second factor; null while the defaults hold. */
  withSince(tenant: string): Promise<PolicySince>;
}

const policySinceSchema = z.object({ policy: securityPolicySchema, mfaSince: z.iso.datetime().nullable() });
export type PolicySince = z.infer<typeof policySinceSchema>;

export interface SecurityPolicyOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly policies: TenantStore<StoredSecurityPolicy>;
  readonly audit: AuditLog;
  readonly cache: Cache;
  readonly clock: Clock;
}

export const policyId = 'policy';
/** Seconds. */
const cacheFor = 30;

const policyOf = ({
  revision: _r,
  updatedAt: _a,
  updatedBy: _b,
  mfaChangedAt: _m,
  ...policy
}: StoredSecurityPolicy): SecurityPolicy => policy;

const viewOf = (stored: Stored<StoredSecurityPolicy> | undefined): SecurityPolicyView =>
  stored === undefined
    ? { policy: securityPolicySchema.parse({}), revision: 0, updatedAt: null, updatedBy: null }
    : {
        policy: policyOf(stored.value),
        revision: stored.value.revision,
        updatedAt: stored.value.updatedAt,
        updatedBy: stored.value.updatedBy,
      };

const changedFields = (before: SecurityPolicy, after: SecurityPolicy): readonly string[] => {
  const old = new Map(Object.entries(before));
  return Object.entries(after)
    .filter(([field, value]) => canonicalJson(value) !== canonicalJson(old.get(field)))
    .map(([field]) => field);
};

/** Whether a second factor is asked of others than before: they get the time of grace from now on. */
const asksOthers = ({ mfa: before }: SecurityPolicy, { mfa: after }: SecurityPolicy): boolean =>
  before.required !== after.required || canonicalJson(before.roles) !== canonicalJson(after.roles);

const shutsOut = ({ ipAllowList }: SecurityPolicy, address: string | undefined): boolean => {
  if (ipAllowList.length === 0) return false;
  const own = address === undefined ? undefined : parseAddress(address);
  return own === undefined || !isWithin(own, parseRanges(ipAllowList));
};

export const createSecurityPolicyService = (options: SecurityPolicyOptions): SecurityPolicyService => {
  const { database, policies, audit, cache, clock } = options;
  const cached = cache.reader(cacheFor, (value) => policySinceSchema.parse(value));
  const cacheKey = (tenant: string): string => `security-policy:${tenant}`;
  const stale = () => new OmniError('precondition-failed', 'The policy was changed meanwhile. Read it again.');

  const withSince: SecurityPolicyService['withSince'] = (tenant) =>
    cached(cacheKey(tenant), async () => {
      const stored = await policies.of(tenant).get(policyId);
      return { policy: viewOf(stored).policy, mfaSince: stored?.value.mfaChangedAt ?? null };
    });

  return {
    get: async ({ tenant }) => viewOf(await policies.of(tenant).get(policyId)),
    of: async (tenant) => (await withSince(tenant)).policy,
    withSince,
    update: async (actor, { policy, expected, address, force }) => {
      const store = policies.of(actor.tenant);
      const stored = await store.get(policyId);
      const before = viewOf(stored);
      if (before.revision !== expected) throw stale();
      if (!force && shutsOut(policy, address)) {
        const message = 'Leaves out the address from which you call. Add it, or send force=true';
        throw new OmniError('invalid-request', 'Some fields are not valid.', {
          issues: [{ path: 'body.ipAllowList', message }],
        });
      }
      const now = isoTime(clock.now());
      const mfaChangedAt = asksOthers(before.policy, policy) ? now : stored?.value.mfaChangedAt;
      const next: StoredSecurityPolicy = {
        ...policy,
        revision: before.revision + 1,
        updatedAt: now,
        updatedBy: actor.id,
        ...(mfaChangedAt === undefined ? {} : { mfaChangedAt }),
      };
      const changed = changedFields(before.policy, policy);
      try {
        await database.transaction(async (transaction) => {
          if (stored === undefined) transaction.create(store, policyId, next);
          else transaction.update(store, policyId, next, { revision: stored.revision });
          await audit.record(transaction, actor, {
            action: 'security.policy.updated',
            target: { type: 'security-policy', id: policyId },
            outcome: 'success',
            data: { revision: next.revision, changed, forced: force },
            personal: { before: JSON.parse(JSON.stringify(before.policy)), after: JSON.parse(JSON.stringify(policy)) },
            ip: address,
          });
        });
      } catch (error) {
        if (isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists')) throw stale();
        throw error;
      }
      await cache.delete(cacheKey(actor.tenant));
      return viewOf({ id: policyId, revision: '', value: next });
    },
  };
};
