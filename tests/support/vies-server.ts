import { createServer } from 'node:http';
import * as z from 'zod';

/** What `POST /check-vat-number` takes: the request of VIES' own OpenAPI document. */
const requestSchema = z.strictObject({
  countryCode: z
    .string()
    .regex(/^(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)$/),
  vatNumber: z.string().regex(/^[A-Z0-9+*]{2,12}$/),
  requesterMemberStateCode: z.string().length(2).optional(),
  requesterNumber: z.string().optional(),
});

/** A register as VIES answers: what it knows is valid, and it can be told to be overloaded, broken or silent. */
export const startVies = async () => {
  const valid = new Set<string>();
  const faults: ('overloaded' | 'broken' | 'silent')[] = [];
  const requests: z.infer<typeof requestSchema>[] = [];
  const server = createServer(async (request, response) => {
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const text = Buffer.concat(await request.toArray()).toString();
    const known = request.method === 'POST' && request.url === '/check-vat-number';
    if (!known || request.headers['content-type'] !== 'application/json') return send(404, {});
    const fault = faults.shift();
    if (fault === 'silent') return undefined;
    if (fault === 'broken') return send(500, { error: 'boom' });
    if (fault === 'overloaded') {
      return send(200, { actionSucceed: false, errorWrappers: [{ error: 'MS_MAX_CONCURRENT_REQ' }] });
    }
    const parsed = requestSchema.safeParse(JSON.parse(text));
    if (!parsed.success) return send(400, { actionSucceed: false, errorWrappers: [{ error: 'INVALID_INPUT' }] });
    requests.push(parsed.data);
    const { countryCode, vatNumber, requesterNumber } = parsed.data;
    return send(200, {
      countryCode,
      vatNumber,
      requestDate: '2026-01-01T00:00:00.000Z',
      valid: valid.has(countryCode + vatNumber),
      requestIdentifier: requesterNumber === undefined ? '' : `WAPIAAAA${requests.length}`,
      name: '---',
      address: '---',
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It does not listen.');
  const { port } = address;
  return {
    url: `http://127.0.0.1:${port}`,
    valid,
    faults,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
