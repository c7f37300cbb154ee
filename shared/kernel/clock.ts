/** Where the time comes from. Services take one, so that a test can stop, step and rewind it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  advance(milliseconds: number): void;
  set(milliseconds: number): void;
}

export const manualClock = (start: string | number = '2026-01-01T00:00:00.000Z'): ManualClock => {
  let now = typeof start === 'number' ? start : Date.parse(start);
  return {
    now: () => now,
    advance: (milliseconds) => {
      now += milliseconds;
    },
    set: (milliseconds) => {
      now = milliseconds;
    },
  };
};

/** ISO 8601 in UTC with milliseconds, the one form in which times are stored and sent. */
export const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** The UTC calendar day, `YYYY-MM-DD`. */
export const isoDay = (milliseconds: number): string => isoTime(milliseconds).slice(0, 10);
