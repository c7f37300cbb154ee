import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { outsideSystem } from '../../kernel/outside-system.ts';
import type { Token } from './chains.ts';

/** What a token is worth at a time. */
export interface Rate {
  /** Of one whole token in the currency, as a decimal. */
  readonly price: string;
  /** Who said so: `par` for a stablecoin in its own currency. */
  readonly source: string;
  readonly at: string;
}

/** Where prices come from. */
export interface Rates {
  /** Fails with `invalid-request` for what is not traded, `rate-limited` and `unavailable`. */
  rate(token: Token, currency: string): Promise<Rate>;
}

export interface CoinbaseRatesOptions {
  /** `https://api.coinbase.com` where absent. */
  readonly baseUrl?: string;
  readonly clock: Clock;
  /** Seconds for one attempt, 5 where absent. */
  readonly timeout?: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

/** https://docs.cdp.coinbase.com/coinbase-app/track-apis/prices */
const spotSchema = z.object({
  data: z.object({
    amount: z.string().regex(/^\d{1,20}(\.\d{1,24})?$/),
    base: z.string(),
    currency: z.string(),
  }),
});

/** Milliseconds for which a price is used again. */
const fresh = 30_000;
const maxKept = 1_000;

/** Coinbase's public spot prices. A stablecoin in its own currency is at par, and nobody is asked. */
export const coinbaseRates = (options: CoinbaseRatesOptions): Rates => {
  const { baseUrl = 'https://api.coinbase.com', clock, timeout = 5, wait } = options;
  const system = outsideSystem({ name: 'Coinbase', clock, timeout, ...(wait === undefined ? {} : { wait }) });
  const kept = new Map<string, { readonly rate: Promise<Rate>; readonly until: number }>();

  const ask = (symbol: string, currency: string): Promise<Rate> =>
    system.call(async (signal) => {
      const response = await fetch(`${baseUrl}/v2/prices/${symbol}-${currency}/spot`, {
        headers: { accept: 'application/json' },
        redirect: 'error',
        signal,
      });
      if (response.status === 429) {
        const retryAfter = Number(response.headers.get('retry-after')) || 5;
        throw new OmniError('rate-limited', 'Coinbase takes no more calls now.', { retryAfter });
      }
      if (response.status === 400 || response.status === 404) {
        throw new OmniError('invalid-request', `There is no price of ${symbol} in ${currency}.`);
      }
      if (!response.ok) throw new OmniError('unavailable', `Coinbase answered ${response.status}.`);
      const { data } = spotSchema.parse(await response.json());
      if (data.base !== symbol || data.currency !== currency || Number(data.amount) <= 0) {
        throw new OmniError('unavailable', 'Coinbase answered something else than was asked.');
      }
      return { price: data.amount, source: 'coinbase', at: isoTime(clock.now()) };
    });

  return {
    rate: async ({ symbol, currency: own }, currency) => {
      if (own === currency) return { price: '1', source: 'par', at: isoTime(clock.now()) };
      const pair = `${symbol}-${currency}`;
      const before = kept.get(pair);
      if (before !== undefined && before.until > clock.now()) return before.rate;
      if (kept.size >= maxKept) kept.clear();
      const rate = ask(symbol, currency);
      kept.set(pair, { rate, until: clock.now() + fresh });
      // A failure is not kept for the next caller.
      rate.catch(() => kept.delete(pair));
      return rate;
    },
  };
};
