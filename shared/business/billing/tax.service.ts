import type { Stored } from '../../store/store.ts';
import { localDay } from './calendar.ts';
import type { Customer } from './customer.schema.ts';
import type { SalesTax } from './sales-tax.ts';
import type { BillingContext } from './settings.service.ts';
import type { TaxDecision } from './tax.schema.ts';
import { decideVat, type TaxCategory } from './vat.ts';

export interface TaxService {
  /** Whether a service outside is asked what tax a customer has to pay, which can take its time or fail. */
  asks(context: BillingContext, customer: Stored<Customer>): boolean;
  /**
   * What tax is due on what a customer buys, for each category. Fails with `precondition-failed` where a number could not
   * be checked and the settings refuse that, and with `unavailable` where a sales tax is asked for and not answered.
   */
  decide(
    context: BillingContext,
    customer: Stored<Customer>,
    categories: Iterable<TaxCategory>,
  ): Promise<ReadonlyMap<TaxCategory, TaxDecision>>;
}

export interface TaxServiceOptions {
  /** Asked for buyers in the United States; without it none is charged there. */
  readonly salesTax?: SalesTax | undefined;
}

export const createTaxService = ({ salesTax }: TaxServiceOptions): TaxService => ({
  asks: ({ settings: { seller } }, { value: buyer }) =>
    salesTax !== undefined && seller !== null && buyer.country === 'US' && !buyer.isTaxExempt,
  decide: async ({ settings, now }, { value: buyer }, categories) => {
    const { seller } = settings;
    const day = localDay(now, settings.timeZone);
    const decided = new Map<TaxCategory, TaxDecision>();
    for (const category of new Set(categories)) {
      if (seller !== null && buyer.country === 'US' && salesTax !== undefined && !buyer.isTaxExempt) {
        const { rate, jurisdiction } = await salesTax.rate({
          seller: { country: seller.country, address: seller.address },
          buyer: { country: buyer.country, address: buyer.address },
          category,
        });
        decided.set(category, { category: rate === 0 ? 'O' : 'S', rate, country: 'US', reason: jurisdiction });
        continue;
      }
      decided.set(
        category,
        decideVat({
          seller: {
            country: seller?.country ?? '',
            isRegistered: seller?.vatId !== undefined,
            usesOss: settings.usesOss,
          },
          buyer: {
            country: buyer.country,
            isBusiness: buyer.kind === 'business',
            isExempt: buyer.isTaxExempt,
            evidence: buyer.evidence ?? undefined,
          },
          category,
          day,
          unchecked: settings.uncheckedVatId === 'reverse-charge' ? 'reverse-charge' : 'charge',
        }),
      );
    }
    return decided;
  },
});
