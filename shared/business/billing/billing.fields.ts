import * as z from 'zod';
import { currencyCodes } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';

/** Text on one line. */
export const lineOf = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Must have no control characters');

export const currencySchema = z
  .enum(currencyCodes)
  .meta({ id: 'BillingCurrency', description: 'ISO 4217, upper case.', examples: ['EUR', 'USD'] });

/** Ten million euros. Times a million seats it is still less than 2^53. */
export const maxUnitAmount = 1_000_000_000;
export const maxSeats = 1_000_000;

/** What one unit costs. */
export const unitAmountSchema = z
  .int()
  .min(0)
  .max(maxUnitAmount)
  .meta({ description: 'Minor units (cents, yen).', examples: [2_900] });

export const moneySchema = z
  .object({
    amount: z.int().meta({ description: 'Minor units.', examples: [2_900] }),
    currency: currencySchema,
  })
  .meta({ id: 'BillingMoney', description: 'An amount in minor units of a currency.' });

/** The id of something of ours in a body. */
export const referenceOf = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_\\w{1,64}$`))
    .meta({ description: `An id that begins with \`${prefix}_\`.`, examples: [`${prefix}_4mT0zN8QkB2vWcY6hR1sXd`] });

export const timeSchema = z.iso.datetime().meta({ examples: ['2026-01-31T00:00:00.000Z'] });

/** A refusal that names the field which is wrong. */
export const badField = (path: string, message: string): OmniError =>
  new OmniError('invalid-request', 'Some fields are not valid.', { issues: [{ path, message }] });

export const notFound = (what: string): OmniError => new OmniError('not-found', `There is no such ${what}.`);
