import * as z from 'zod';
import type { Cache } from '../../cache/cache.ts';
import { OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { SalesTax, SalesTaxQuestion } from './sales-tax.ts';

export interface TaxJarOptions {
  readonly apiKey: string;
  /** `https://api.taxjar.com` where absent. */
  readonly baseUrl?: string | undefined;
  /** Answers are kept for an hour, so that a run of invoices does not ask for each. */
  readonly cache: Cache;
  /** Seconds for one request, 8 where absent. */
  readonly timeout?: number;
  /** Requests beside the first, 2 where absent. */
  readonly retries?: number;
  /** Milliseconds before the nth repetition; grows with jitter where absent. */
  readonly pause?: (repetition: number) => number;
}

const answerSchema = z.object({
  tax: z.object({
    rate: z.number().min(0).max(1),
    has_nexus: z.boolean(),
    jurisdictions: z
      .object({ state: z.string().optional(), county: z.string().optional(), city: z.string().optional() })
      .optional(),
  }),
});
const rateSchema = z.object({ rate: z.int(), jurisdiction: z.string() });

/** Product tax codes: software as a service, and what is exempt everywhere. */
const codes = { standard: '30070', reduced: '30070', exempt: '99999' } as const;
/** Seconds. */
const keep = 3_600;
/** The rate does not depend on it; the service wants an amount. */
const anyAmount = 100;

const bodyOf = ({ seller, buyer, category }: SalesTaxQuestion) => {
  const { address } = buyer;
  if (address === null || address.region === undefined) {
    throw new OmniError(
      'precondition-failed',
      'Sales tax in the United States needs the customer’s address with its state.',
    );
  }
  return {
    from_country: seller.country,
    from_zip: seller.address.postalCode,
    from_city: seller.address.city,
    from_street: seller.address.line1,
    ...(seller.address.region === undefined ? {} : { from_state: seller.address.region }),
    to_country: buyer.country,
    to_zip: address.postalCode,
    to_state: address.region,
    to_city: address.city,
    to_street: address.line1,
    shipping: 0,
    line_items: [{ id: '1', quantity: 1, unit_price: anyAmount, product_tax_code: codes[category] }],
  };
};

/**
 * TaxJar's sales tax API (https://developers.taxjar.com/api/reference/#post-calculate-sales-tax-for-an-order): `POST
 * /v2/taxes`. Where the seller has no nexus nothing is due.
 */
export const taxJar = (options: TaxJarOptions): SalesTax => {
  const { apiKey, baseUrl = 'https://api.taxjar.com', cache, timeout = 8, retries = 2 } = options;
  const cached = cache.reader(keep, (value) => rateSchema.parse(value));
  const pause = options.pause ?? ((n: number) => 300 * 2 ** n * (0.5 + Math.random()));

  const ask = async (body: object): Promise<unknown> => {
    const response = await fetch(`${baseUrl}/v2/taxes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'x-api-version': '2022-01-24' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(timeout * 1_000),
    });
    if (response.status === 400 || response.status === 404) {
      throw new OmniError('precondition-failed', 'The customer’s address is not known to the sales tax service.');
    }
    if (!response.ok) throw new Error(`TaxJar answered ${response.status}.`);
    return response.json();
  };

  const load = async (body: object): Promise<z.infer<typeof rateSchema>> => {
    let cause: unknown;
    for (let attempt = 0; attempt <= retries; attempt += 1) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, pause(attempt)));
      try {
        const { tax } = answerSchema.parse(await ask(body));
        const { state, county, city } = tax.jurisdictions ?? {};
        const place = [state, county, city].filter((one) => one !== undefined).join(', ');
        return tax.has_nexus
          ? { rate: Math.round(tax.rate * 1_000_000), jurisdiction: `Sales tax of ${place}` }
          : { rate: 0, jurisdiction: 'No sales tax: the seller has no nexus there' };
      } catch (error) {
        if (error instanceof OmniError) throw error;
        cause = error;
      }
    }
    throw new OmniError('unavailable', 'The sales tax service does not answer.', { cause });
  };

  return {
    rate: async (question) => {
      const body = bodyOf(question);
      const key = `sales-tax:${sha256(JSON.stringify(body))}`;
      return cached(key, () => load(body));
    },
  };
};
