import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';
import { add, compare, type Money, money, scale, subtract, sum } from '../../kernel/money.ts';
import { moneySchema } from './billing.fields.ts';
import type { Scheme, Tier } from './price.schema.ts';

export const pricePartSchema = z
  .object({
    description: z.string().meta({ examples: ['10 at tier 1 to 10'] }),
    quantity: z.int(),
    amount: moneySchema,
  })
  .meta({ id: 'PricePart', description: 'A part of an amount. The parts sum to the whole.' });
export type PricePart = z.infer<typeof pricePartSchema>;

/** What a quantity costs, and how that comes about. */
export interface Priced {
  readonly amount: Money;
  readonly parts: readonly PricePart[];
}

interface Band extends Tier {
  /** The first unit that is in it. */
  readonly from: number;
}

const bandsOf = (tiers: readonly Tier[]): readonly Band[] =>
  tiers.map((tier, i) => ({ ...tier, from: (tiers[i - 1]?.upTo ?? 0) + 1 }));

const nameOf = ({ from, upTo }: Band): string => (upTo === null ? `from ${from}` : `${from} to ${upTo}`);

const bandPart = (band: Band, quantity: number, currency: string): PricePart => ({
  description: `${quantity} at tier ${nameOf(band)}`,
  quantity,
  amount: add(scale(money(band.unitAmount, currency), quantity, 1), money(band.flatAmount, currency)),
});

const graduated = (tiers: readonly Tier[], quantity: number, currency: string): readonly PricePart[] =>
  bandsOf(tiers)
    .filter(({ from }) => quantity >= from)
    .map((band) => bandPart(band, Math.min(quantity, band.upTo ?? quantity) - band.from + 1, currency));

const volume = (tiers: readonly Tier[], quantity: number, currency: string): readonly PricePart[] => {
  const band = bandsOf(tiers).find(({ from, upTo }) => quantity >= from && (upTo === null || quantity <= upTo));
  return band === undefined ? [] : [bandPart(band, quantity, currency)];
};

const partsOf = (scheme: Scheme, quantity: number, currency: string): readonly PricePart[] => {
  switch (scheme.model) {
    case 'flat':
      return [{ description: 'Flat', quantity: 1, amount: money(scheme.amount, currency) }];
    case 'per-unit': {
      const amount = scale(money(scheme.unitAmount, currency), quantity, 1);
      return [{ description: `${quantity} units`, quantity, amount }];
    }
    case 'graduated':
      return graduated(scheme.tiers, quantity, currency);
    case 'volume':
      return volume(scheme.tiers, quantity, currency);
    case 'package': {
      const packages = Math.ceil(quantity / scheme.size);
      const amount = scale(money(scheme.amount, currency), packages, 1);
      return [{ description: `${packages} packages of ${scheme.size}`, quantity: packages, amount }];
    }
  }
};

/**
 * What `quantity` units cost under a scheme, exactly. Fails with `invalid-request` for a quantity that is no
 * non-negative integer, and for an amount of 2^53 and more.
 */
export const priceOf = (scheme: Scheme, quantity: number, currency: string): Priced => {
  if (!Number.isSafeInteger(quantity) || quantity < 0) {
    throw new OmniError('invalid-request', 'A quantity is a whole number, not below zero.');
  }
  const parts = partsOf(scheme, quantity, currency);
  const amount = sum(
    parts.map((part) => part.amount),
    currency,
  );
  const least = money(scheme.model === 'flat' ? 0 : (scheme.minimum ?? 0), currency);
  if (compare(amount, least) >= 0) return { amount, parts };
  const lacking: PricePart = { description: 'Up to the minimum', quantity: 1, amount: subtract(least, amount) };
  return { amount: least, parts: [...parts, lacking] };
};
