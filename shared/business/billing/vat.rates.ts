/** In parts per million: standard, and the reduced rate that holds for most of what has one. */
interface Rates {
  readonly standard: number;
  readonly reduced: number;
}

/**
 * VAT rates of the member states, valid from `since`, as of 2026-01-01. Source: European Commission, "Taxes in Europe
 * Database" (https://ec.europa.eu/taxation_customs/tedb/). Reduced rates depend on the goods: this is the first of
 * them, and a product is of the category `reduced` only by its seller's own decision.
 */
const history: Readonly<Record<string, readonly (Rates & { readonly since: string })[]>> = {
  AT: [{ since: '2016-01-01', standard: 200_000, reduced: 100_000 }],
  BE: [{ since: '1996-01-01', standard: 210_000, reduced: 60_000 }],
  BG: [{ since: '1999-01-01', standard: 200_000, reduced: 90_000 }],
  CY: [{ since: '2014-01-13', standard: 190_000, reduced: 90_000 }],
  CZ: [
    { since: '2013-01-01', standard: 210_000, reduced: 150_000 },
    { since: '2024-01-01', standard: 210_000, reduced: 120_000 },
  ],
  DE: [{ since: '2021-01-01', standard: 190_000, reduced: 70_000 }],
  DK: [{ since: '1992-01-01', standard: 250_000, reduced: 250_000 }],
  EE: [
    { since: '2009-07-01', standard: 200_000, reduced: 90_000 },
    { since: '2024-01-01', standard: 220_000, reduced: 90_000 },
    { since: '2025-07-01', standard: 240_000, reduced: 90_000 },
  ],
  ES: [{ since: '2012-09-01', standard: 210_000, reduced: 100_000 }],
  FI: [
    { since: '2013-01-01', standard: 240_000, reduced: 140_000 },
    { since: '2024-09-01', standard: 255_000, reduced: 140_000 },
    { since: '2026-01-01', standard: 255_000, reduced: 135_000 },
  ],
  FR: [{ since: '2014-01-01', standard: 200_000, reduced: 100_000 }],
  GR: [{ since: '2016-06-01', standard: 240_000, reduced: 130_000 }],
  HR: [{ since: '2012-03-01', standard: 250_000, reduced: 130_000 }],
  HU: [{ since: '2012-01-01', standard: 270_000, reduced: 180_000 }],
  IE: [{ since: '2021-03-01', standard: 230_000, reduced: 135_000 }],
  IT: [{ since: '2013-10-01', standard: 220_000, reduced: 100_000 }],
  LT: [
    { since: '2009-09-01', standard: 210_000, reduced: 90_000 },
    { since: '2026-01-01', standard: 210_000, reduced: 120_000 },
  ],
  LU: [{ since: '2024-01-01', standard: 170_000, reduced: 80_000 }],
  LV: [{ since: '2012-07-01', standard: 210_000, reduced: 120_000 }],
  MT: [{ since: '2004-01-01', standard: 180_000, reduced: 70_000 }],
  NL: [{ since: '2019-01-01', standard: 210_000, reduced: 90_000 }],
  PL: [{ since: '2011-01-01', standard: 230_000, reduced: 80_000 }],
  PT: [{ since: '2011-01-01', standard: 230_000, reduced: 130_000 }],
  RO: [
    { since: '2017-01-01', standard: 190_000, reduced: 90_000 },
    { since: '2025-08-01', standard: 210_000, reduced: 110_000 },
  ],
  SE: [{ since: '1990-07-01', standard: 250_000, reduced: 120_000 }],
  SI: [{ since: '2013-07-01', standard: 220_000, reduced: 95_000 }],
  SK: [
    { since: '2011-01-01', standard: 200_000, reduced: 100_000 },
    { since: '2025-01-01', standard: 230_000, reduced: 190_000 },
  ],
};

/** Codes of ISO 3166. Greece is GR there, and EL in its VAT numbers. */
export const euCountries: ReadonlySet<string> = new Set(Object.keys(history));

/** A country's rate on a day; undefined outside the union, and before the table begins. */
export const vatRate = (country: string, category: 'standard' | 'reduced', day: string): number | undefined =>
  history[country]?.findLast(({ since }) => since <= day)?.[category];
