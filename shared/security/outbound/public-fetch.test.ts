import { createServer } from 'node:http';
import { afterAll, describe, expect, it } from 'vitest';
import { isPublic, publicFetch } from './public-fetch.ts';

const server = createServer((incoming, outgoing) => {
  if (incoming.url === '/large') return outgoing.end('x'.repeat(2_000_000));
  if (incoming.url === '/away') return outgoing.writeHead(302, { location: 'http://169.254.169.254/' }).end();
  return outgoing.end(`${incoming.method} ${incoming.headers.accept}`);
});
await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});
afterAll(() => server.close());
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;

const get = { method: 'GET', headers: { accept: 'x' } };

describe('an address that a tenant names', () => {
  it.each([
    `http://127.0.0.1:${1}/`,
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://169.254.169.254/computeMetadata/v1/',
    'https://localhost/',
    'https://10.0.0.1/',
    'http://example.com/',
  ])('is not asked where it is %s', async (url) => {
    await expect(publicFetch({ allowPrivate: false })(url, get)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([
    ['8.8.8.8', true],
    ['2606:4700::1111', true],
    ['172.15.0.1', true],
    ['172.31.0.1', false],
    ['100.100.0.1', false],
    ['fe80::1', false],
    ['fd00::1', false],
    ['::', false],
    ['2002:7f00:1::', false],
    ['255.255.255.255', false],
  ])('%s is public: %s', (text, expected) => {
    expect(isPublic(text)).toBe(expected);
  });
});

describe('an answer', () => {
  const ask = (path: string) => publicFetch({ allowPrivate: true })(`http://127.0.0.1:${port}${path}`, get);

  it('is passed on as it is, redirects too, which nobody follows', async () => {
    expect(await (await ask('/')).text()).toBe('GET x');
    expect((await ask('/away')).status).toBe(302);
  });

  it('of more than a megabyte is not read', async () => {
    await expect(ask('/large')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
