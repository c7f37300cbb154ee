import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { OmniError } from '#shared/kernel/errors.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { dumping } from '#tests/support/dump.ts';
import { issue } from '#tests/support/paypal/certificates.ts';
import {
  certificatePath,
  certificateUrl,
  paypalAuthorities,
  sandboxSigner,
  type Transmission,
  transmissionOf,
} from '#tests/support/paypal/signing.ts';
import { startPayPalServer } from '#tests/support/paypal-server.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const server = await startPayPalServer();
afterAll(server.stop);
const driver = dumping(embeddedDriver());
const environment = { PAYPAL_API_URL: server.baseUrl, PAYPAL_AUTHORITIES: paypalAuthorities.root.pem };
const runtime = await testRuntime({ environment, driver });
const app = runtime.start(webhooks, createServices);
const { merchant } = server;
const webhook = '8PT597110X687430LKGEC';
await runtime.tenants.ensure('acme', { name: 'Acme' });
await createServices(runtime).webhooks.connect('paypal', merchant, 'acme', { id: webhook, livemode: false });

let last = 0;
const event = (change: object = {}): string => {
  last += 1;
  return JSON.stringify({
    id: `WH-${last}`,
    event_type: 'PAYMENT.CAPTURE.COMPLETED',
    create_time: new Date(runtime.clock.now()).toISOString(),
    resource: {
      id: 'CAP1',
      payer: { email: 'ada@example.com' },
      supplementary_data: { related_ids: { order_id: 'ORD1' } },
    },
    ...change,
  });
};
const now = (): string => new Date(runtime.clock.now()).toISOString();
const signed = (body: string, change: Partial<Transmission> = {}) =>
  transmissionOf(body, { webhook, time: now(), ...change });
const deliver = (body: string, headers = signed(body), account = merchant, to = app) =>
  request(to, `/webhooks/paypal/${account}`, { body, headers });
const codeOf = async (response: Promise<Response>) => {
  const answer: unknown = await (await response).json();
  return answer;
};
const refusal = { code: 'invalid-signature', status: 400 };
const downloads = (): number =>
  server.requests.filter(({ path }) => path.startsWith('/v1/notifications/certs/')).length;
const late = (seconds: number) => ({ time: new Date(runtime.clock.now() + seconds * 1_000).toISOString() });

describe('POST /webhooks/paypal/{account}', () => {
  beforeEach(() => runtime.clock.advance(1_000));

  it('takes an event once, for the tenant of the account, without what names a person', async () => {
    const body = event();
    expect(await codeOf(deliver(body))).toEqual({ received: 'published' });
    expect(await codeOf(deliver(body))).toEqual({ received: 'duplicate' });
    expect(JSON.stringify(await driver.dump())).not.toContain('ada@example.com');
  });

  it('downloads the certificate once for twenty at once, and again after an hour', async () => {
    runtime.clock.advance(3_600_000);
    const before = downloads();
    const bodies = Array.from({ length: 20 }, () => event());
    const answers = await Promise.all(bodies.map((body) => deliver(body)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(downloads()).toBe(before + 1);
  });

  it.each([
    ['three days ago', -3 * 86_400, 200],
    ['more than four days ago', -4 * 86_400 - 1, 400],
    ['in four minutes', 240, 200],
    ['in six minutes', 360, 400],
  ])('is content with a transmission of %s or not: %i s', async (_when, seconds, status) => {
    const body = event();
    expect((await deliver(body, signed(body, late(seconds)))).status).toBe(status);
  });

  it.each<[string, (body: string) => Readonly<Record<string, string>>]>([
    ['no signature', () => ({})],
    ["another body's", () => signed(event())],
    ["another webhook's", (body) => signed(body, { webhook: '8PT000000000000000000' })],
    ['another time than it says', (body) => ({ ...signed(body), 'paypal-transmission-time': late(60).time })],
    ['another id than it says', (body) => ({ ...signed(body), 'paypal-transmission-id': 'another' })],
    ['a weaker algorithm', (body) => ({ ...signed(body), 'paypal-auth-algo': 'SHA1withRSA' })],
    ['no algorithm', (body) => ({ ...signed(body), 'paypal-auth-algo': 'none' })],
    ['an HMAC', (body) => ({ ...signed(body), 'paypal-auth-algo': 'HmacSHA256' })],
  ])('refuses a signature that is %s', async (_what, headers) => {
    const body = event();
    expect(await codeOf(deliver(body, headers(body)))).toMatchObject(refusal);
  });

  it.each([
    ['https://evil.example/v1/notifications/certs/CERT-1'],
    ['https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1'],
    ['https://evil.example#api.sandbox.paypal.com/v1/notifications/certs/CERT-1'],
    ['https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1'],
    ['https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1'],
    ['http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1'],
    ['https://api.sandbox.paypal.com/v1/notifications/certs/../../../elsewhere'],
    ['https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?x=1'],
    ['https://www.sandbox.paypal.com/v1/notifications/certs/CERT-1'],
    // Of the other mode.
    ['https://api.paypal.com/v1/notifications/certs/CERT-1'],
    ['file:///etc/passwd'],
    ['nonsense'],
  ])('asks nobody for a certificate at %s', async (url) => {
    const before = server.requests.length;
    const body = event();
    expect(await codeOf(deliver(body, signed(body, { url })))).toMatchObject(refusal);
    expect(server.requests).toHaveLength(before);
  });

  const { intermediate } = paypalAuthorities;
  const { name } = sandboxSigner;
  const stranger = issue({ name: 'Root of nobody', authority: true });
  const leaf = issue({ name: 'www.example.com', by: intermediate, modulusLength: 2_048 });
  it.each([
    ['issued by itself', issue({ name, modulusLength: 2_048 }), ''],
    ['issued by an authority that nobody trusts', issue({ name, by: stranger, modulusLength: 2_048 }), stranger.pem],
    ['issued by who is no authority', issue({ name, by: leaf, modulusLength: 2_048 }), leaf.pem + intermediate.pem],
    ["somebody else's", leaf, intermediate.pem],
    [
      "of PayPal's other mode",
      issue({ name: 'messageverificationcerts.paypal.com', by: intermediate, modulusLength: 2_048 }),
      intermediate.pem,
    ],
    ['no longer valid', issue({ name, by: intermediate, modulusLength: 2_048, to: '2025-12-31' }), intermediate.pem],
    ['not valid yet', issue({ name, by: intermediate, modulusLength: 2_048, from: '2030-01-01' }), intermediate.pem],
    ['of a weak key', issue({ name, by: intermediate, modulusLength: 1_024 }), intermediate.pem],
    ['without who issued it', issue({ name, by: intermediate, modulusLength: 2_048 }), ''],
  ])('trusts no certificate that is %s', async (_what, by, others) => {
    runtime.clock.advance(60_000);
    const path = `/v1/notifications/certs/CERT-${last}`;
    server.certificates.set(path, by.pem + others);
    const body = event();
    const url = `https://api.sandbox.paypal.com${path}`;
    expect(await codeOf(deliver(body, signed(body, { by, url })))).toMatchObject(refusal);
  });

  it.each([
    ['is none', 'nonsense'],
    ['is endless', 'x'.repeat(100_000)],
  ])('refuses a certificate that %s', async (_what, pem) => {
    runtime.clock.advance(60_000);
    const path = `/v1/notifications/certs/CERT-odd-${pem.length}`;
    server.certificates.set(path, pem);
    const body = event();
    const headers = signed(body, { url: `https://api.sandbox.paypal.com${path}` });
    expect(await codeOf(deliver(body, headers))).toMatchObject(refusal);
  });

  it('has PayPal come again while the certificate can not be had, and takes the event then', async () => {
    runtime.clock.advance(3_600_000);
    const body = event();
    server.behaveOn(({ path }) => path === certificatePath, 'fail');
    expect((await deliver(body)).status).toBe(503);
    expect(await codeOf(deliver(body))).toEqual({ received: 'published' });
  });

  it('makes no more than twenty downloads a minute, whoever invents addresses', async () => {
    runtime.clock.advance(3_600_000);
    const before = downloads();
    for (let i = 0; i < 30; i += 1) {
      const body = event();
      await deliver(body, signed(body, { url: `${certificateUrl}-${i}` }));
    }
    expect(downloads()).toBe(before + 20);
  });

  it('has PayPal come again while nothing can be kept', async () => {
    runtime.clock.advance(3_600_000);
    const down = () => Promise.reject(new OmniError('unavailable', 'It is down.'));
    const services = createServices(runtime);
    const broken = runtime.start(webhooks, () => ({ ...services, webhooks: { ...services.webhooks, accept: down } }));
    const body = event();
    expect((await deliver(body, signed(body), merchant, broken)).status).toBe(503);
  });

  it('knows nothing of an account that nobody has connected', async () => {
    const body = event();
    expect(await codeOf(deliver(body, signed(body), 'MOFNOBODY'))).toMatchObject({ code: 'not-found' });
  });

  it.each([['{}'], ['[]'], ['null'], [event({ id: '../x' })], [event({ resource: null })], [event({ event_type: 7 })]])(
    'refuses what is no event, though it is well signed: %s',
    async (body) => {
      expect(await codeOf(deliver(body))).toMatchObject({ code: 'invalid-request' });
    },
  );
});

describe('where PayPal is asked whether a webhook is its own', async () => {
  const asking = await testRuntime({
    environment: {
      ...environment,
      PAYPAL_WEBHOOK_VERIFICATION: 'api',
      PAYPAL_CLIENT_ID: server.clientId,
      PAYPAL_CLIENT_SECRET: server.clientSecret,
    },
  });
  const other = asking.start(webhooks, createServices);
  await asking.tenants.ensure('acme', { name: 'Acme' });
  server.webhooks.set(webhook, { id: webhook, merchant, url: 'https://api.example.com/', event_types: [] });
  await createServices(asking).webhooks.connect('paypal', merchant, 'acme', { id: webhook, livemode: false });
  const at = (body: string, change: Partial<Transmission> = {}) =>
    transmissionOf(body, { webhook, time: new Date(asking.clock.now()).toISOString(), ...change });

  it('takes what PayPal says is', async () => {
    const body = event({ create_time: '2026-01-01T00:00:00Z' });
    expect(await codeOf(deliver(body, at(body), merchant, other))).toEqual({ received: 'published' });
  });

  it.each<[string, (body: string) => Readonly<Record<string, string>>]>([
    ["another body's", () => at(event())],
    ["another webhook's", (body) => at(body, { webhook: '8PT000000000000000000' })],
    ['another algorithm', (body) => ({ ...at(body), 'paypal-auth-algo': 'none' })],
    ['four days old', (body) => at(body, { time: '2025-12-27T23:59:59Z' })],
  ])('refuses a signature that is %s', async (_what, headers) => {
    const body = event();
    expect(await codeOf(deliver(body, headers(body), merchant, other))).toMatchObject(refusal);
  });

  it('has PayPal come again where it gives no answer', async () => {
    const body = event();
    for (let i = 0; i < 3; i += 1) server.behaveOn(({ path }) => path.endsWith('verify-webhook-signature'), 'fail');
    expect((await deliver(body, at(body), merchant, other)).status).toBe(503);
  });
});
