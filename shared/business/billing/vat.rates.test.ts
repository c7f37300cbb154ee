import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { euCountries, vatRate } from './vat.rates.ts';

const rateSchema = z.object({
  type: z.string(),
  rate: z.number(),
  /** What held until a time. */
  before: z.record(z.iso.datetime(), z.object({ rate: z.number() })).optional(),
});

/** The table of the library sales-tax, which its maintainers keep up to date. It has standard rates only. */
const published = async () => {
  const main = createRequire(import.meta.url).resolve('sales-tax');
  const file = join(dirname(main), '..', 'res', 'sales_tax_rates.json');
  const all = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(file, 'utf8')));
  return (country: string) => rateSchema.parse(all[country]);
};

const dayLength = 86_400_000;
const isoDay = (time: number): string => new Date(time).toISOString().slice(0, 10);
const perMillion = (rate: number): number => Math.round(rate * 1_000_000);

describe('the table of VAT rates', () => {
  it('has every member state', () => {
    expect([...euCountries].sort().join(' ')).toBe(
      'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK',
    );
  });

  it.each([...euCountries])('has the published standard rate of %s, and when it changed', async (country) => {
    const { type, rate, before = {} } = (await published())(country);
    expect([type, vatRate(country, 'standard', '2026-06-30')]).toEqual(['vat', perMillion(rate)]);
    for (const [until, { rate: earlier }] of Object.entries(before)) {
      // Midnight there is the day before here, and its times are off by a day at most.
      const day = isoDay(Date.parse(until) - 2 * dayLength);
      const ours = vatRate(country, 'standard', day);
      if (ours !== undefined) expect([country, day, ours]).toEqual([country, day, perMillion(earlier)]);
    }
  });

  it('has no reduced rate above the standard one, nor one below the 5 % that the directive allows', () => {
    for (const country of euCountries) {
      const [standard = 0, reduced = 0] = [
        vatRate(country, 'standard', '2026-06-30'),
        vatRate(country, 'reduced', '2026-06-30'),
      ];
      expect([country, reduced >= 50_000, reduced <= standard]).toEqual([country, true, true]);
    }
  });
});
