import * as z from 'zod';
import type { DomainEvent } from '../kernel/event.ts';
import { platformCollection } from './collection.ts';

/** Events that are committed and not yet known to be published. A document's id is its event's. */
export interface OutboxEntry {
  /** ISO 8601; the sweep takes the oldest first. */
  readonly committedAt: string;
  /** The event as JSON text: Firestore neither indexes it nor limits its nesting. */
  readonly event: string;
}

export const outboxCollection = platformCollection<OutboxEntry>({
  name: 'outbox',
  schema: z.object({ committedAt: z.iso.datetime(), event: z.string() }),
  unindexed: ['event'],
});

export const toOutboxEntry = (event: DomainEvent, now: number): OutboxEntry => ({
  committedAt: new Date(now).toISOString(),
  event: JSON.stringify(event),
});
