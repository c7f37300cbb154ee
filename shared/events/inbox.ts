import * as z from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { isoTime } from '../kernel/clock.ts';
import { isOmniError } from '../kernel/errors.ts';
import { platformCollection } from '../store/collection.ts';
import type { Store, Stored, Transaction } from '../store/store.ts';

/** What is known of one job's work on one event. */
export const inboxEntrySchema = z.object({
  status: z.enum(['running', 'waiting', 'done', 'dead']),
  /** Runs begun so far. It fences: a worker whose claim is not the last one can't commit. */
  attempts: z.int(),
  leaseUntil: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type InboxEntry = z.infer<typeof inboxEntrySchema>;

export const inboxCollection = platformCollection<InboxEntry>({
  name: 'inbox',
  schema: inboxEntrySchema,
  ttl: 'expiresAt',
});

/** Longer than Pub/Sub keeps a message (7 days), so that no late redelivery finds the entry gone. */
export const inboxRetention = 14 * 24 * 60 * 60 * 1000;

export type Claim =
  | { readonly state: 'claimed'; readonly entry: Stored<InboxEntry> }
  /** Another worker holds the lease. */
  | { readonly state: 'busy' }
  | { readonly state: 'settled' };

export interface Inbox {
  /** Takes the work on `id`, or says why not. Of any number of concurrent callers one gets the claim. */
  claim(id: string, leaseFor: number): Promise<Claim>;
  /** Marks a claimed entry within a transaction, which fails with `revision-conflict` when the claim was taken over. */
  settle(transaction: Transaction, entry: Stored<InboxEntry>, status: 'done' | 'dead'): void;
  /** Gives a claim back for the next attempt; does nothing when it was taken over. */
  release(entry: Stored<InboxEntry>): Promise<void>;
}

export const createInbox = ({ entries, clock }: { entries: Store<InboxEntry>; clock: Clock }): Inbox => {
  const running = (attempts: number, leaseFor: number): InboxEntry => ({
    status: 'running',
    attempts,
    leaseUntil: isoTime(clock.now() + leaseFor),
    expiresAt: isoTime(clock.now() + inboxRetention),
  });

  const takeOver = async (current: Stored<InboxEntry>, leaseFor: number): Promise<Claim> => {
    const { status, attempts, leaseUntil } = current.value;
    if (status === 'done' || status === 'dead') return { state: 'settled' };
    if (status === 'running' && Date.parse(leaseUntil) > clock.now()) return { state: 'busy' };
    const entry = await entries.update(current.id, running(attempts + 1, leaseFor), { revision: current.revision });
    return { state: 'claimed', entry };
  };

  return {
    claim: async (id, leaseFor) => {
      try {
        return { state: 'claimed', entry: await entries.create(id, running(1, leaseFor)) };
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
      }
      const current = await entries.get(id);
      if (current === undefined) return { state: 'busy' };
      try {
        return await takeOver(current, leaseFor);
      } catch (error) {
        if (isOmniError(error, 'revision-conflict') || isOmniError(error, 'not-found')) return { state: 'busy' };
        throw error;
      }
    },
    settle: (transaction, entry, status) => {
      transaction.update(entries, entry.id, { ...entry.value, status }, { revision: entry.revision });
    },
    release: async (entry) => {
      try {
        await entries.update(entry.id, { ...entry.value, status: 'waiting' }, { revision: entry.revision });
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict') && !isOmniError(error, 'not-found')) throw error;
      }
    },
  };
};
