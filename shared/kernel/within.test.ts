import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from './within.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('within', () => {
  it('gives what the work gives, and leaves no timer', async () => {
    expect(await within(1, async () => 'done')).toBe('done');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('fails as the work fails, and leaves no timer', async () => {
    await expect(within(1, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('fails as unavailable when the time is over, not before, and tells the work', async () => {
    let signal: AbortSignal | undefined;
    let outcome = 'open';
    const late = within(1.5, (given) => {
      signal = given;
      return new Promise<never>(() => undefined);
    }).catch((error: unknown) => {
      outcome = String(error);
      return error;
    });
    await vi.advanceTimersByTimeAsync(1_499);
    expect([outcome, signal?.aborted]).toEqual(['open', false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await late).toMatchObject({ code: 'unavailable', message: 'It took longer than 1.5 s.' });
    expect(signal?.aborted).toBe(true);
  });

  it('does not mind that late work fails later', async () => {
    const late = within(
      1,
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    );
    const refused = expect(late).rejects.toMatchObject({ code: 'unavailable' });
    await vi.advanceTimersByTimeAsync(1_000);
    await refused;
  });
});
