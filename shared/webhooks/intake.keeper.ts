import { grouped } from '../events/grouped.ts';
import { isOmniError } from '../kernel/errors.ts';
import type { DomainEvent } from '../kernel/event.ts';
import type { Database, Store } from '../store/store.ts';
import type { Intake } from './intake.schema.ts';

/** That a webhook came, and its event where that could not be published. */
export interface Kept {
  readonly id: string;
  readonly entry: Intake;
  readonly event?: DomainEvent;
}

interface Waiting extends Kept {
  readonly settle: (isNew: boolean | Promise<boolean>) => void;
}

export interface IntakeKeeperOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly intake: Store<Intake>;
}

/** Documents in one commit. */
const together = 20;

/**
 * Keeps webhooks, and tells whether each was new. Those that come at the same time share a commit, because a call to the
 * database costs a function more than all else that it does with a webhook. A commit is all or nothing: where one was
 * there before, or can't be stored, each is kept by itself. What carries a payload or an event goes alone from the start.
 */
export const intakeKeeper = ({ database, intake }: IntakeKeeperOptions): ((kept: Kept) => Promise<boolean>) => {
  const alone = async ({ id, entry, event }: Kept): Promise<boolean> => {
    try {
      await database.transaction((transaction) => {
        transaction.create(intake, id, entry);
        if (event !== undefined) transaction.emit(event);
      });
      return true;
    } catch (error) {
      if (isOmniError(error, 'already-exists')) return false;
      throw error;
    }
  };

  /** False where they can't go together. */
  const allNew = async (all: readonly Kept[]): Promise<boolean> => {
    if (all.length < 2 || new Set(all.map(({ id }) => id)).size < all.length) return false;
    try {
      await database.transaction((transaction) => {
        for (const { id, entry } of all) transaction.create(intake, id, entry);
      });
      return true;
    } catch (error) {
      // One that can't be stored is not to fail the others; a database that is down is asked no more often for that.
      if (isOmniError(error, 'unavailable')) throw error;
      return false;
    }
  };

  const shared = grouped(async (all: readonly Waiting[]) => {
    const areNew = await allNew(all);
    const outcomes = all.map((one) => (areNew ? Promise.resolve(true) : alone(one)));
    for (const [i, { settle }] of all.entries()) settle(outcomes[i] ?? true);
    await Promise.allSettled(outcomes);
  }, together);

  return async (kept) => {
    if (kept.event !== undefined || kept.entry.parked !== undefined) return alone(kept);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const [isNew] = await Promise.all([promise, shared({ ...kept, settle: resolve })]);
    return isNew;
  };
};
