import * as z from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { isoTime } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import type { DomainEvent } from '../kernel/event.ts';
import type { Page, PageRequest } from '../kernel/page.ts';
import { platformCollection } from '../store/collection.ts';
import type { Database, Store, Transaction } from '../store/store.ts';
import { parseEvent } from './define-event.ts';
import { type InboxEntry, inboxRetention } from './inbox.ts';

/**
 * Milliseconds for which a letter is kept: a day less than the inbox knows what other jobs of the event have done,
 * which is longer than any job goes on trying. So a redrive repeats nobody else's work.
 */
const letterRetention = inboxRetention - 86_400_000;

/** An event that a job gave up on. */
export const deadLetterSchema = z.object({
  job: z.string(),
  eventType: z.string(),
  tenant: z.string(),
  /** The whole event as JSON text. */
  event: z.string(),
  /** A code or the name of the error, never its message: that may hold personal data. */
  reason: z.string(),
  attempts: z.int(),
  failedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;

export const deadLetterCollection = platformCollection<DeadLetter>({
  name: 'deadLetters',
  schema: deadLetterSchema,
  ttl: 'expiresAt',
});

export interface DeadLetters {
  /** Writes a dead letter within a transaction; its id is the inbox entry's. */
  bury(
    transaction: Transaction,
    id: string,
    letter: { job: string; event: DomainEvent; reason: string; attempts: number },
  ): void;
  /** Newest first. */
  list(request: PageRequest): Promise<Page<DeadLetter & { readonly id: string }>>;
  /** Publishes the event again, for the one job that had given up on it. Fails with `not-found`. */
  redrive(id: string): Promise<void>;
}

interface DeadLettersOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly letters: Store<DeadLetter>;
  readonly inbox: Store<InboxEntry>;
  readonly clock: Clock;
}

export const createDeadLetters = ({ database, letters, inbox, clock }: DeadLettersOptions): DeadLetters => ({
  bury: (transaction, id, { job, event, reason, attempts }) => {
    transaction.create(letters, id, {
      job,
      eventType: event.type,
      tenant: event.tenant,
      event: JSON.stringify(event),
      reason,
      attempts,
      failedAt: isoTime(clock.now()),
      expiresAt: isoTime(clock.now() + letterRetention),
    });
  },
  list: async ({ limit, cursor }) => {
    const page = await letters.query({ orderBy: { field: 'failedAt', order: 'desc' }, limit, cursor });
    return { ...page, items: page.items.map(({ id, value }) => ({ id, ...value })) };
  },
  redrive: (id) =>
    database.transaction(async (transaction) => {
      const letter = await transaction.get(letters, id);
      const entry = await transaction.get(inbox, id);
      if (letter === undefined) throw new OmniError('not-found', 'There is no such dead letter.');
      transaction.delete(letters, id, { revision: letter.revision });
      // A first attempt again: the other jobs of this event are done in their inbox and let it pass.
      if (entry !== undefined) transaction.delete(inbox, id, { revision: entry.revision });
      transaction.emit(parseEvent(JSON.parse(letter.value.event)));
    }),
});
