import { describe, expect, it } from 'vitest';
import type { VatEvidence } from './tax.schema.ts';
import { euCountries, vatRate } from './vat.rates.ts';
import { decideVat, type VatQuestion } from './vat.ts';

const evidence = (valid: boolean, source: VatEvidence['source'] = 'vies'): VatEvidence => ({
  vatId: 'FR12345678901',
  valid,
  consultation: 'WAPI1',
  checkedAt: '2026-01-01T00:00:00.000Z',
  source,
});
const ask = (buyer: Partial<VatQuestion['buyer']>, change: Partial<VatQuestion> = {}) => {
  const { category, rate, country } = decideVat({
    seller: { country: 'DE', isRegistered: true, usesOss: true },
    buyer: { country: 'DE', isBusiness: false, isExempt: false, ...buyer },
    category: 'standard',
    day: '2026-02-01',
    unchecked: 'charge',
    ...change,
  });
  return [category, rate / 10_000, country];
};
const business = { isBusiness: true, country: 'FR' } as const;

describe('VAT of a German seller', () => {
  it.each<[string, Partial<VatQuestion['buyer']>, Partial<VatQuestion>, unknown[]]>([
    ['at home, to anybody', { isBusiness: true, evidence: evidence(true) }, {}, ['S', 19, 'DE']],
    ['at home, reduced', {}, { category: 'reduced' }, ['S', 7, 'DE']],
    ['to a consumer elsewhere in the EU, by the one-stop shop', { country: 'FR' }, {}, ['S', 20, 'FR']],
    [
      'to a consumer elsewhere, below the threshold',
      { country: 'FR' },
      { seller: { country: 'DE', isRegistered: true, usesOss: false } },
      ['S', 19, 'DE'],
    ],
    ['to a business elsewhere with a good number', { ...business, evidence: evidence(true) }, {}, ['AE', 0, 'FR']],
    ['to a business with a bad number', { ...business, evidence: evidence(false) }, {}, ['S', 20, 'FR']],
    ['to a business without a number', business, {}, ['S', 20, 'FR']],
    [
      'to a business that can’t be checked',
      { ...business, evidence: evidence(false, 'unavailable') },
      {},
      ['S', 20, 'FR'],
    ],
    [
      'to one that can’t be checked, where that is trusted',
      { ...business, evidence: evidence(false, 'unavailable') },
      { unchecked: 'reverse-charge' },
      ['AE', 0, 'FR'],
    ],
    ['to Switzerland', { country: 'CH' }, {}, ['G', 0, '']],
    ['of what is exempt', {}, { category: 'exempt' }, ['E', 0, 'DE']],
    ['to whoever is exempt', { isExempt: true }, {}, ['E', 0, 'DE']],
    [
      'of a seller who is not registered',
      {},
      { seller: { country: 'DE', isRegistered: false, usesOss: false } },
      ['O', 0, ''],
    ],
  ])('%s', (_what, buyer, change, expected) => {
    expect(ask(buyer, change)).toEqual(expected);
  });

  it('uses the rate of the day', () => {
    expect(ask({ country: 'EE' }, { day: '2025-06-30' })[1]).toBe(22);
    expect(ask({ country: 'EE' }, { day: '2025-07-01' })[1]).toBe(24);
  });
});

it('has a rate for every one of the 27 member states', () => {
  expect(euCountries.size).toBe(27);
  for (const country of euCountries) {
    // Article 97 of Directive 2006/112/EC: at least 15 %; none is above 27 %.
    expect(vatRate(country, 'standard', '2026-01-01')).toBeGreaterThanOrEqual(150_000);
    expect(vatRate(country, 'standard', '2026-01-01')).toBeLessThanOrEqual(270_000);
    expect(vatRate(country, 'reduced', '2026-01-01')).toBeLessThanOrEqual(
      vatRate(country, 'standard', '2026-01-01') ?? 0,
    );
  }
  expect(vatRate('US', 'standard', '2026-01-01')).toBeUndefined();
});
