import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { emailRequested } from '../../messaging/index.ts';
import type { Membership } from '../../security/index.ts';
import type { Store, Stored } from '../../store/store.ts';
import { erasureEvent, requireErasable } from '../erasure/erasure.jobs.ts';
import type { Erasure } from '../erasure/erasure.schema.ts';
import type { TenantChange, TenantRecords } from '../tenants/tenant.records.ts';
import { detailsOf, type Tenant, type TenantDetails } from '../tenants/tenant.schema.ts';
import { sandboxesEvent } from './lifecycle.events.ts';

export interface LifecycleService {
  /** By an owner, who names the tenant's slug. All owners get a link that takes it back. */
  suspend(actor: Actor, input: { readonly confirm: string; readonly reason: string }): Promise<TenantDetails>;
  /** By the platform alone, which alone takes it back. */
  suspendByPlatform(actor: Actor, tenant: string, reason: string): Promise<TenantDetails>;
  /** By the platform alone: a suspension or a deletion whose grace has not ended. */
  restoreByPlatform(actor: Actor, tenant: string): Promise<TenantDetails>;
  /** By the link of an owner's mail. Fails with `unauthenticated`, also for what the platform suspended. */
  restore(token: string): Promise<TenantDetails>;
  /** Refused everywhere within 30 s, erased after the days of grace. All owners get a link that takes it back. */
  requestDeletion(
    actor: Actor,
    input: { readonly confirm: string; readonly graceDays: number },
  ): Promise<TenantDetails>;
  /** What time has made due for a tenant; undefined for nothing. */
  next(tenant: Stored<Tenant>): Promise<TenantChange | undefined>;
}

export interface LifecycleOptions {
  readonly tenants: Store<Tenant>;
  readonly records: TenantRecords;
  readonly erasures: Store<Erasure>;
  readonly membership: Pick<Membership, 'owners'>;
  readonly secrets: {
    readonly create: () => string;
    readonly hash: (secret: string) => string;
    readonly text: (parts: { readonly tenant: string; readonly secret: string }) => string;
    readonly parse: (text: string) => { readonly tenant: string; readonly secret: string } | undefined;
  };
  readonly appUrlOf: (tenant: string) => Promise<string>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

export const graceDays = { least: 1, usual: 30, most: 90 } as const;
const dayLength = 86_400_000;
/** Milliseconds before the erasure at which the owners hear of it once more; half of a shorter grace. */
const reminder = 3 * dayLength;
const maxHashes = 3;

const requireStatus = ({ status }: Tenant, ...wanted: readonly Tenant['status'][]): void => {
  if (!wanted.includes(status)) throw new OmniError('precondition-failed', `The tenant is ${status}.`);
};

const requireConfirmed = ({ slug }: Tenant, confirm: string): void => {
  if (slug !== confirm) throw new OmniError('precondition-failed', "`confirm` must be the tenant's slug.");
};

const refused = () => new OmniError('unauthenticated', 'This link is not valid any more.');

/** Whose first owner has not shown yet to be it still has until then. */
const restored = ({ probationUntil: dueAt }: Tenant): TenantChange => ({
  value: { status: 'active', restoreHashes: [], ...(dueAt === undefined ? {} : { dueAt }) },
  without: ['suspension', 'deletion', ...(dueAt === undefined ? (['dueAt'] as const) : [])],
  action: 'platform.tenant.restored',
});

const byPlatform = (actor: Actor, tenant: string) => {
  if (actor.kind !== 'system') throw new OmniError('forbidden', 'This is for the platform itself.');
  return { tenant, kind: actor.kind, id: actor.id };
};

export const createLifecycle = (options: LifecycleOptions): LifecycleService => {
  const { tenants, records, erasures, membership, secrets, makeEvent, clock } = options;

  /** The mails to all owners with a link that restores, and the hash to keep of it. */
  const tell = async (
    id: string,
    tenant: Tenant,
    template: 'tenant-suspended' | 'tenant-deletion',
    at: string,
  ): Promise<{ readonly restoreHashes: string[]; readonly mails: readonly DomainEvent[] }> => {
    const secret = secrets.create();
    const hash = secrets.hash(secret);
    const [owners, appUrl] = await Promise.all([membership.owners(id), options.appUrlOf(id)]);
    const link = `${appUrl}/tenant/restore#token=${secrets.text({ tenant: id, secret })}`;
    const mails = owners.map(({ id: owner, value: { email, name } }) =>
      makeEvent(emailRequested, {
        tenant: id,
        subject: owner,
        data: {
          template,
          to: email,
          data: { at, link, ...(name === undefined ? {} : { name }) },
          locale: tenant.settings.locale,
          dedupeKey: `${template}:${hash}:${owner}`,
        },
      }),
    );
    return { restoreHashes: [hash, ...tenant.restoreHashes].slice(0, maxHashes), mails };
  };

  const reminded = async ({ id, value }: Stored<Tenant>, eraseAt: string): Promise<TenantChange> => {
    const { restoreHashes, mails } = await tell(id, value, 'tenant-deletion', eraseAt);
    return {
      value: { restoreHashes, dueAt: eraseAt },
      action: 'platform.tenant.deletion-announced',
      data: { eraseAt },
      write: (transaction) => {
        for (const mail of mails) transaction.emit(mail);
      },
    };
  };

  /** With its sandboxes, which have no life of their own. */
  const erased = ({ id, value }: Stored<Tenant>): TenantChange => {
    const startedAt = isoTime(clock.now());
    const requestedAt = requireErasable(value, clock.now());
    return {
      value: { status: 'erasing' },
      without: ['dueAt'],
      action: 'platform.tenant.erasure-started',
      write: (transaction) => {
        transaction.create(erasures, id, { round: 1, done: [], requestedAt, startedAt });
        transaction.emit(erasureEvent(makeEvent, id, startedAt, 1));
        transaction.emit(sandboxesEvent(makeEvent, { parent: id, requestedAt, eraseAt: startedAt }));
      },
    };
  };

  return {
    suspend: async (actor, { confirm, reason }) => {
      const next = await records.change(actor, async ({ id, value }) => {
        requireStatus(value, 'active');
        requireConfirmed(value, confirm);
        const at = isoTime(clock.now());
        const { restoreHashes, mails } = await tell(id, value, 'tenant-suspended', at);
        return {
          value: { status: 'suspended', suspension: { reason, by: 'owner', at }, restoreHashes },
          action: 'platform.tenant.suspended',
          data: { by: 'owner', reason },
          write: (transaction) => {
            for (const mail of mails) transaction.emit(mail);
          },
        };
      });
      return detailsOf(actor.tenant, next);
    },
    suspendByPlatform: async (actor, tenant, reason) => {
      const next = await records.change(byPlatform(actor, tenant), ({ value }) => {
        requireStatus(value, 'active', 'suspended');
        const suspension = { reason, by: 'platform', at: isoTime(clock.now()) } as const;
        return {
          value: { status: 'suspended', suspension, restoreHashes: [] },
          action: 'platform.tenant.suspended',
          data: { by: 'platform', reason },
        };
      });
      return detailsOf(tenant, next);
    },
    restoreByPlatform: async (actor, tenant) => {
      const next = await records.change(byPlatform(actor, tenant), ({ value }) => {
        requireStatus(value, 'suspended', 'deleting');
        return restored(value);
      });
      return detailsOf(tenant, next);
    },
    restore: async (token) => {
      const parsed = secrets.parse(token);
      if (parsed === undefined || (await tenants.get(parsed.tenant)) === undefined) throw refused();
      const { tenant, secret } = parsed;
      const by = { tenant, kind: 'anonymous', id: 'restore-link' } as const;
      const next = await records.change(by, ({ value }) => {
        const isGood = value.restoreHashes.includes(secrets.hash(secret));
        if (!isGood || (value.status !== 'suspended' && value.status !== 'deleting')) throw refused();
        return restored(value);
      });
      return detailsOf(tenant, next);
    },
    requestDeletion: async (actor, { confirm, graceDays: days }) => {
      const next = await records.change(actor, async ({ id, value }) => {
        requireStatus(value, 'active');
        requireConfirmed(value, confirm);
        const now = clock.now();
        const eraseAt = isoTime(now + days * dayLength);
        const dueAt = isoTime(now + days * dayLength - Math.min(reminder, (days * dayLength) / 2));
        const { restoreHashes, mails } = await tell(id, value, 'tenant-deletion', eraseAt);
        return {
          value: {
            status: 'deleting',
            deletion: { requestedAt: isoTime(now), eraseAt, by: actor.id },
            dueAt,
            restoreHashes,
          },
          // An owner asks for it: somebody has shown to be one.
          without: ['probationUntil'],
          action: 'platform.tenant.deletion-requested',
          data: { eraseAt },
          write: (transaction) => {
            for (const mail of mails) transaction.emit(mail);
          },
        };
      });
      return detailsOf(actor.tenant, next);
    },
    next: async (tenant) => {
      const { status, deletion, dueAt, probationUntil } = tenant.value;
      if (dueAt === undefined || Date.parse(dueAt) > clock.now() || status === 'erasing') return undefined;
      if (status === 'deleting' && deletion !== undefined) {
        return Date.parse(deletion.eraseAt) > clock.now() ? reminded(tenant, deletion.eraseAt) : erased(tenant);
      }
      const isOwned = probationUntil === undefined || (await membership.owners(tenant.id)).length > 0;
      if (!isOwned) return erased(tenant);
      return { value: {}, without: ['dueAt', 'probationUntil'], action: 'platform.tenant.verified' };
    },
  };
};
