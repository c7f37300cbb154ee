import { createServer } from 'node:http';

/** Coinbase's spot prices (https://docs.cdp.coinbase.com/coinbase-app/track-apis/prices), as a test says them. */
export const startRatesServer = async () => {
  const prices = new Map<string, string>([
    ['USDC-EUR', '0.92'],
    ['USDC-JPY', '150'],
    ['USDC-KWD', '0.3'],
  ]);
  const requests: string[] = [];
  const faults: ('fail' | 'stall' | 'rate-limit' | 'nonsense' | 'other-pair')[] = [];
  const server = createServer((request, response) => {
    const [, pair = ''] = /^\/v2\/prices\/([A-Z]{3,5}-[A-Z]{3})\/spot$/.exec(request.url ?? '') ?? [];
    requests.push(pair);
    const fault = faults.shift();
    const send = (status: number, body: unknown, headers = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    if (fault === 'stall') return;
    if (fault === 'fail') return void send(503, {});
    if (fault === 'rate-limit')
      return void send(429, { errors: [{ id: 'rate_limit_exceeded' }] }, { 'retry-after': '7' });
    if (fault === 'nonsense') return void send(200, { data: { amount: '-1', base: 'USDC' } });
    const [base, currency] = pair.split('-');
    const amount = prices.get(pair);
    if (amount === undefined) return void send(404, { errors: [{ id: 'not_found', message: 'Invalid currency' }] });
    send(200, { data: { amount, base: fault === 'other-pair' ? 'BTC' : base, currency } });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    prices,
    requests,
    faults,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
