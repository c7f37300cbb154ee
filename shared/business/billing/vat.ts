import type { TaxDecision, VatEvidence } from './tax.schema.ts';
import { euCountries, vatRate } from './vat.rates.ts';

export type TaxCategory = 'standard' | 'reduced' | 'exempt';

export interface VatQuestion {
  readonly seller: { readonly country: string; readonly isRegistered: boolean; readonly usesOss: boolean };
  readonly buyer: {
    readonly country: string;
    readonly isBusiness: boolean;
    readonly isExempt: boolean;
    /** What is known of their VAT number; undefined where they gave none. */
    readonly evidence?: VatEvidence | undefined;
  };
  readonly category: TaxCategory;
  /** `YYYY-MM-DD`. */
  readonly day: string;
  /** What to do with a business whose number could not be checked. */
  readonly unchecked: 'charge' | 'reverse-charge';
}

const none = (category: TaxDecision['category'], country: string, reason: string): TaxDecision => ({
  category,
  rate: 0,
  country,
  reason,
});

const rated = (country: string, category: 'standard' | 'reduced', day: string, reason: string): TaxDecision => {
  const rate = vatRate(country, category, day) ?? vatRate(country, 'standard', day);
  return rate === undefined
    ? none('O', '', 'Outside the scope of EU VAT')
    : { category: rate === 0 ? 'Z' : 'S', rate, country, reason };
};

const isReverseCharged = ({ buyer, unchecked }: VatQuestion): boolean =>
  buyer.isBusiness &&
  buyer.evidence !== undefined &&
  (buyer.evidence.valid || (buyer.evidence.source === 'unavailable' && unchecked === 'reverse-charge'));

/**
 * VAT on services supplied electronically by a seller in the union: Directive 2006/112/EC, articles 44 and 196 (to a
 * business: where it is, and it owes the tax), 58 and 59c (to a consumer: where they are, or, below the threshold and
 * without the one-stop shop, where the seller is). To a buyer outside the union none is due.
 */
export const decideVat = (question: VatQuestion): TaxDecision => {
  const { seller, buyer, category, day } = question;
  if (!seller.isRegistered || !euCountries.has(seller.country)) return none('O', '', 'Not subject to VAT');
  if (buyer.isExempt) return none('E', seller.country, 'Exempt from VAT: exemption of the buyer');
  if (category === 'exempt') return none('E', seller.country, 'Exempt from VAT');
  if (buyer.country === seller.country) return rated(seller.country, category, day, 'Domestic supply');
  if (!euCountries.has(buyer.country)) {
    return none('G', '', 'Supplied outside the EU: not subject to VAT (Article 44/58/59 of Directive 2006/112/EC)');
  }
  if (isReverseCharged(question)) {
    return none(
      'AE',
      buyer.country,
      'Reverse charge: VAT is owed by the recipient (Article 196 of Directive 2006/112/EC)',
    );
  }
  return seller.usesOss
    ? rated(buyer.country, category, day, 'Destination rate under the one-stop shop')
    : rated(seller.country, category, day, 'Rate of the seller: below the threshold of Article 59c');
};
