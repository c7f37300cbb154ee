import type { Address } from './settings.schema.ts';
import type { TaxCategory } from './vat.ts';

export interface SalesTaxQuestion {
  readonly seller: { readonly country: string; readonly address: Address };
  readonly buyer: { readonly country: string; readonly address: Address | null };
  readonly category: TaxCategory;
}

/** A service that knows the sales taxes of the United States, down to cities and districts. */
export interface SalesTax {
  /** The combined rate, parts per million, and whose it is. Errors: `unavailable`, `invalid-request`. */
  rate(question: SalesTaxQuestion): Promise<{ readonly rate: number; readonly jurisdiction: string }>;
}
