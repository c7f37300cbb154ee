import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { AuditLog, Membership, UserService } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, TenantStore, Transaction } from '../../store/store.ts';
import type { TenantRecords } from '../tenants/tenant.records.ts';
import type { OwnershipTransfer } from './transfer.schema.ts';

export interface MemberService {
  /** Fails with `not-found`, with `forbidden` for somebody who may do more, and `precondition-failed` for the last owner. */
  remove(actor: Actor, id: string): Promise<void>;
  /** The actor's own account; `confirm` is the tenant's slug. Fails with `precondition-failed` for the last owner. */
  leave(actor: Actor, confirm: string): Promise<void>;
  /** The first step: an owner offers their place to a member, for 72 hours; an offer before is replaced. */
  offerOwnership(actor: Actor, to: string): Promise<OwnershipTransfer>;
  /** Idempotent. */
  withdrawOffer(actor: Actor): Promise<void>;
  /** The second step, by whom it was offered to: who offered becomes an admin. Fails with `not-found` for anybody else. */
  acceptOwnership(actor: Actor): Promise<void>;
}

export interface MemberOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly membership: Pick<Membership, 'remove' | 'leave' | 'passOwnership'>;
  readonly users: Pick<UserService, 'get'>;
  readonly transfers: TenantStore<OwnershipTransfer>;
  readonly records: Pick<TenantRecords, 'find'>;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

const only = 'offer';
/** Milliseconds. */
const offerLifetime = 72 * 3_600_000;
const maxAttempts = 10;

export const createMemberService = (options: MemberOptions): MemberService => {
  const { database, membership, users, transfers, records, audit, clock } = options;

  const record = (transaction: Transaction, actor: Actor, action: string, id: string) =>
    audit.record(transaction, actor, { action, target: { type: 'user', id }, outcome: 'success' });

  const take = (actor: Actor, action: string, id: string, prepare: () => Promise<(transaction: Transaction) => void>) =>
    retrying(maxAttempts, async () => {
      const write = await prepare();
      await database.transaction(async (transaction) => {
        await record(transaction, actor, action, id);
        write(transaction);
      });
    });

  return {
    remove: (actor, id) => take(actor, 'platform.member.removed', id, () => membership.remove(actor, id)),
    leave: async (actor, confirm) => {
      if ((await records.find(actor.tenant)).value.slug !== confirm) {
        throw new OmniError('precondition-failed', "`confirm` must be the tenant's slug.");
      }
      await take(actor, 'platform.member.left', actor.id, () => membership.leave(actor));
    },
    offerOwnership: async (actor, to) => {
      const [self, other] = await Promise.all([users.get(actor, actor.id), users.get(actor, to)]);
      if (!self.roles.includes('owner')) throw new OmniError('forbidden', 'Only an owner can offer ownership.');
      if (to === actor.id || other.status !== 'active' || !other.emailVerified) {
        throw new OmniError('precondition-failed', 'Ownership is offered to another active, verified member.');
      }
      const store = transfers.of(actor.tenant);
      const now = clock.now();
      const value = { from: actor.id, to, createdAt: isoTime(now), expiresAt: isoTime(now + offerLifetime) };
      await retrying(maxAttempts, async () => {
        const there = await store.get(only);
        await database
          .transaction(async (transaction) => {
            await record(transaction, actor, 'platform.ownership.offered', to);
            if (there === undefined) transaction.create(store, only, value);
            else transaction.update(store, only, value, { revision: there.revision });
          })
          .catch((error: unknown) => {
            throw isOmniError(error, 'already-exists')
              ? new OmniError('revision-conflict', 'Another offer was made meanwhile.')
              : error;
          });
      });
      return value;
    },
    withdrawOffer: async (actor) => {
      await database.transaction(async (transaction) => {
        await record(transaction, actor, 'platform.ownership.offer-withdrawn', actor.id);
        transaction.delete(transfers.of(actor.tenant), only);
      });
    },
    acceptOwnership: (actor) =>
      take(actor, 'platform.ownership.passed', actor.id, async () => {
        const { tenant, id } = actor;
        const offer = await transfers.of(tenant).get(only);
        if (offer?.value.to !== id) throw new OmniError('not-found', 'Nobody offers you ownership.');
        const write = await membership.passOwnership(tenant, offer.value.from, id);
        return (transaction) => {
          transaction.delete(transfers.of(tenant), only, { revision: offer.revision });
          write(transaction);
        };
      }),
  };
};
