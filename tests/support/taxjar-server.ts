import { createServer } from 'node:http';
import * as z from 'zod';

/** What `POST /v2/taxes` wants, of TaxJar's reference: a zip of five digits in the United States, a state of two letters. */
const requestSchema = z.strictObject({
  from_country: z.string().length(2),
  from_zip: z.string(),
  from_state: z.string().optional(),
  from_city: z.string(),
  from_street: z.string(),
  to_country: z.literal('US'),
  to_zip: z.string().regex(/^\d{5}(-\d{4})?$/),
  to_state: z.string().length(2),
  to_city: z.string(),
  to_street: z.string(),
  shipping: z.number(),
  line_items: z.array(
    z.strictObject({ id: z.string(), quantity: z.number(), unit_price: z.number(), product_tax_code: z.string() }),
  ),
});

/** A sales tax service with the rates that it is given, by state; elsewhere the seller has no nexus. */
export const startTaxJar = async (apiKey: string) => {
  const rates = new Map<string, number>();
  const faults: (500 | 429 | 'silent')[] = [];
  /** Postal codes that it fails on, whoever asks and how often. */
  const broken = new Set<string>();
  let requests = 0;
  const server = createServer(async (request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const text = Buffer.concat(await request.toArray()).toString();
    requests += 1;
    if (request.method !== 'POST' || request.url !== '/v2/taxes') return send(404, { status: 404 });
    if (request.headers.authorization !== `Bearer ${apiKey}`) return send(401, { status: 401, error: 'Unauthorized' });
    const fault = faults.shift();
    if (fault === 'silent') return undefined;
    if (fault !== undefined) return send(fault, { status: fault });
    const parsed = requestSchema.safeParse(JSON.parse(text));
    if (!parsed.success) return send(400, { status: 400, error: 'Bad Request', detail: 'to_zip is not valid' });
    const { to_state: state, to_city: city, to_zip: zip, line_items: items } = parsed.data;
    if (broken.has(zip)) return send(503, { status: 503 });
    const isExempt = items.every(({ product_tax_code: code }) => code === '99999');
    const rate = isExempt ? 0 : (rates.get(state) ?? 0);
    const jurisdictions = { country: 'US', state, county: 'COUNTY', city: city.toUpperCase() };
    return send(200, {
      tax: { rate, has_nexus: rates.has(state), amount_to_collect: rate * 100, taxable_amount: 100, jurisdictions },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It does not listen.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    rates,
    faults,
    broken,
    requests: () => requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
