import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import type { SuppressionReason } from '../delivery.ts';
import { addressHash, type Channel, type Suppression } from './suppression.schema.ts';

export interface SuppressionService {
  /** Idempotent: the first reason stays. */
  suppress(actor: Actor, channel: Channel, address: string, reason: SuppressionReason): Promise<void>;
  /** Idempotent. For who has a new mailbox under an old address, or wants messages again. */
  unsuppress(actor: Actor, channel: Channel, address: string): Promise<void>;
  find(actor: Actor, channel: Channel, address: string): Promise<Suppression | undefined>;
}

export interface SuppressionServiceOptions {
  readonly suppressions: TenantStore<Suppression>;
  readonly clock: Clock;
}

export const createSuppressionService = ({ suppressions, clock }: SuppressionServiceOptions): SuppressionService => ({
  suppress: async ({ tenant }, channel, address, reason) => {
    const id = addressHash(tenant, channel, address);
    try {
      await suppressions.of(tenant).create(id, { channel, reason, at: isoTime(clock.now()) });
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
    }
  },
  unsuppress: ({ tenant }, channel, address) => suppressions.of(tenant).delete(addressHash(tenant, channel, address)),
  find: async ({ tenant }, channel, address) =>
    (await suppressions.of(tenant).get(addressHash(tenant, channel, address)))?.value,
});
