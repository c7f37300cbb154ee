import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { ApiKeyService, AuditLog } from '../../security/index.ts';
import type { Store, Stored } from '../../store/store.ts';
import type { Quotas } from '../quotas/quota.service.ts';
import { newTenantId, taken } from './tenant.creation.ts';
import type { TenantRecords } from './tenant.records.ts';
import { detailsOf, slugReservation, type Tenant, type TenantDetails } from './tenant.schema.ts';
import { settle } from './tenant.standing.ts';

export interface SandboxService {
  /** A tenant of its own, for trying things out. Fails with `precondition-failed` in a sandbox, or over the plan. */
  create(actor: Actor, sandbox: { readonly name: string }): Promise<TenantDetails>;
  list(actor: Actor, request: PageRequest): Promise<Page<TenantDetails>>;
  /** A key of the sandbox that may do there what the actor may do here. Its text is shown this once. */
  giveKey(actor: Actor, id: string): Promise<{ readonly id: string; readonly key: string }>;
  /** It is refused at once and erased within two hours. Idempotent until it is gone. */
  remove(actor: Actor, id: string): Promise<void>;
}

export interface SandboxOptions {
  readonly tenants: Store<Tenant>;
  readonly records: TenantRecords;
  readonly apiKeys: Pick<ApiKeyService, 'issue'>;
  readonly quotas: Pick<Quotas, 'take'>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

export const createSandboxService = (options: SandboxOptions): SandboxService => {
  const { tenants, records, apiKeys, quotas, audit, newId, clock } = options;

  const find = async ({ tenant }: Actor, id: string): Promise<Stored<Tenant>> => {
    const sandbox = await tenants.get(id);
    if (sandbox?.value.sandboxOf !== tenant) throw new OmniError('not-found', 'There is no such sandbox.');
    return sandbox;
  };

  const recordOf = (parent: Tenant, of: string, name: string, slug: string): Tenant => {
    const now = isoTime(clock.now());
    return {
      name,
      slug,
      formerSlugs: [],
      status: 'active',
      settings: { ...parent.settings, corsOrigins: [] },
      plan: { id: parent.plan.id, overrides: { ...parent.plan.overrides, sandboxes: 0, customDomains: 0 } },
      sandboxOf: of,
      restoreHashes: [],
      createdAt: now,
      updatedAt: now,
    };
  };

  return {
    create: async (actor, { name }) => {
      const { value: parent } = await records.find(actor.tenant);
      if (parent.sandboxOf !== undefined) throw new OmniError('precondition-failed', 'A sandbox has no sandboxes.');
      const id = newTenantId(idsFor(actor, newId));
      const value = recordOf(parent, actor.tenant, name, `sandbox-${id.slice(1, 13)}`);
      return quotas
        .take(actor.tenant, 'sandboxes', async () => async (transaction) => {
          const target = { type: 'tenant', id };
          await audit.record(transaction, actor, { action: 'platform.sandbox.created', target, outcome: 'success' });
          transaction.reserve(platformTenant, slugReservation, value.slug, id);
          transaction.create(tenants, id, value);
          return detailsOf(id, value);
        })
        .catch((error: unknown) => {
          throw taken(error);
        });
    },
    list: async ({ tenant }, request) => {
      const where = [{ field: 'sandboxOf', op: '==', value: tenant }] as const;
      const page = await tenants.query({ ...request, where });
      return { ...page, items: page.items.map(({ id, value }) => detailsOf(id, value)) };
    },
    giveKey: async (actor, id) => {
      const { value } = await find(actor, id);
      if (value.status !== 'active') throw new OmniError('precondition-failed', 'The sandbox is not active.');
      const key = {
        tenant: id,
        name: `from ${actor.tenant}`.slice(0, 100),
        scopes: [...actor.scopes].slice(0, 100),
        requestsPerMinute: value.settings.requestsPerMinute,
      };
      // In both logs: it is given out here, and opens what is there.
      const issued = await apiKeys.issue(key, async (transaction, keyId) => {
        const entry = { target: { type: 'api-key', id: keyId }, outcome: 'success' } as const;
        const by = { tenant: id, kind: actor.kind, id: actor.id };
        await audit.record(transaction, by, {
          ...entry,
          action: 'security.api-key.issued',
          data: { of: actor.tenant },
        });
        await audit.record(transaction, actor, {
          ...entry,
          action: 'platform.sandbox.key-issued',
          data: { sandbox: id },
        });
      });
      return { id: issued.id, key: issued.text };
    },
    remove: async (actor, id) => {
      await find(actor, id);
      const by = { tenant: id, kind: actor.kind, id: actor.id };
      const now = clock.now();
      const eraseAt = isoTime(now + settle);
      await records.change(by, ({ value: { deletion } }) => ({
        value:
          deletion === undefined
            ? { status: 'deleting', deletion: { requestedAt: isoTime(now), eraseAt, by: actor.id }, dueAt: eraseAt }
            : {},
        action: 'platform.sandbox.deleted',
        data: { of: actor.tenant },
        // In the parent's log too: the sandbox's own goes with it.
        write: async (transaction) => {
          const entry = { target: { type: 'tenant', id }, outcome: 'success' } as const;
          await audit.record(transaction, actor, { ...entry, action: 'platform.sandbox.deleted' });
        },
      }));
    },
  };
};
