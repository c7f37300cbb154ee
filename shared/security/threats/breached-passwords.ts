import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Cache } from '../../cache/cache.ts';
import { circuitBreaker } from '../../kernel/circuit-breaker.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { Logger } from '../../telemetry/index.ts';

/** How often a password is in public lists of stolen ones: 0 where it is in none, or nobody knows. Never fails. */
export type CountBreaches = (password: string) => Promise<number>;

export interface BreachedPasswordsOptions {
  /** Of a server that speaks the range protocol, such as `https://api.pwnedpasswords.com`. */
  readonly baseUrl: string;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Milliseconds for one call: somebody is waiting for their sign-in. 1,500 where absent. */
  readonly timeout?: number;
}

/** Seconds. The lists change every few weeks. */
const cacheFor = 24 * 3_600;
/** A range has about 800 to 2,000 lines of 42 bytes. */
const maxBytes = 512 * 1_024;

/** 35 hex digits and a count. */
const linePattern = /^([0-9A-F]{35}):(\d{1,12})$/i;
const rangeSchema = z.record(z.string(), z.number());
type Range = z.infer<typeof rangeSchema>;

/** Padding has the count 0, and is no more than that. */
const parseRange = (text: string): Range => {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  return Object.fromEntries(
    lines.flatMap((line): [string, number][] => {
      const [, suffix, count] = linePattern.exec(line) ?? [];
      if (suffix === undefined) throw new Error('This is no range of hashes.');
      return Number(count) === 0 ? [] : [[suffix.toUpperCase(), Number(count)]];
    }),
  );
};

const readBounded = async (response: Response): Promise<string> => {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > maxBytes) throw new Error('The range is too long.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
};

/**
 * Asks by k-anonymity (https://haveibeenpwned.com/API/v3#PwnedPasswords): the first five of the forty digits of the
 * password's SHA-1 leave, which hundreds of other passwords share, and padding hides from who watches the line how many
 * answers there were. It is not tried twice, and says 0 where it can't be asked: a list that is down must not keep people
 * out.
 */
export const breachedPasswords = (options: BreachedPasswordsOptions): CountBreaches => {
  const { baseUrl, cache, clock, logger, timeout = 1_500 } = options;
  const cached = cache.reader(cacheFor, (value) => rangeSchema.parse(value));
  const guarded = circuitBreaker({ clock, failures: 3, pause: 60_000 });
  const root = baseUrl.replace(/\/$/, '');

  const load = (prefix: string): Promise<Range> =>
    guarded(async () => {
      const response = await fetch(`${root}/range/${prefix}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'omni' },
        signal: AbortSignal.timeout(timeout),
        redirect: 'error',
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`The list of breached passwords answered ${response.status}.`);
      }
      return parseRange(await readBounded(response));
    });

  return async (password) => {
    const hash = createHash('sha1').update(password).digest('hex').toUpperCase();
    const [prefix, suffix] = [hash.slice(0, 5), hash.slice(5)];
    try {
      const range = await cached(`breached-passwords:${prefix}`, () => load(prefix));
      return Object.hasOwn(range, suffix) ? (range[suffix] ?? 0) : 0;
    } catch (error) {
      const isDown = isOmniError(error, 'unavailable');
      if (!isDown)
        logger.warn('The list of breached passwords cannot be asked. Passwords are taken unseen.', { error });
      return 0;
    }
  };
};
