import * as z from 'zod';
import { defineEvent, type EventType } from './define-event.ts';

/** The data of every timer's tick. */
export const tickData = z.object({ schedule: z.string() });
export type Tick = z.infer<typeof tickData>;

/** A timer: Cloud Scheduler publishes its tick in the cloud, the starter does locally. */
export interface Schedule {
  readonly name: string;
  /** Five fields, as in `man 5 crontab`. */
  readonly cron: string;
  /** IANA name. */
  readonly timeZone: string;
  /** How often Cloud Scheduler tries again to publish a tick. */
  readonly retries: number;
  readonly event: EventType<Tick>;
}

/** `name` is kebab-case and unique; its tick has the event type `schedule.<name>`. */
export const defineSchedule = (schedule: {
  name: string;
  cron: string;
  timeZone?: string;
  retries?: number;
}): Schedule => ({
  name: schedule.name,
  cron: schedule.cron,
  timeZone: schedule.timeZone ?? 'Etc/UTC',
  retries: schedule.retries ?? 3,
  event: defineEvent(`schedule.${schedule.name}`, tickData),
});
