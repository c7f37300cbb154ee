import type { DomainEvent } from '../kernel/event.ts';

/** Carries events to every job that named their type, at least once. */
export interface Bus {
  /** Resolves when all are durable on the bus. Fails with `unavailable`, and then some may have been published. */
  publish(events: readonly DomainEvent[]): Promise<void>;
  close(): Promise<void>;
}
