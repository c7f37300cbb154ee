import { Cron } from 'croner';
import type { ManifestFunction } from './manifest.ts';

export type Schedule = ManifestFunction['schedules'][number];

/** Does locally what Cloud Scheduler does in the cloud: publishes each schedule's message at its times. */
export const startTimers = (
  schedules: readonly Schedule[],
  publish: (schedule: Schedule) => Promise<void>,
  onError: (error: unknown) => void,
): { stop(): void } => {
  const timers = schedules.map(
    (schedule) => new Cron(schedule.cron, { timezone: schedule.timeZone, catch: onError }, () => publish(schedule)),
  );
  return {
    stop: () => {
      for (const timer of timers) timer.stop();
    },
  };
};
