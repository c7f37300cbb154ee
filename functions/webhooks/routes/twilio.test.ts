import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { platform } from '#functions/platform/app.ts';
import { createServices as platformServices } from '#functions/platform/services.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { messageCollection, smsRequested } from '#shared/messaging/index.ts';
import { messageId } from '#shared/messaging/messages/message.schema.ts';
import { twilioVerifier } from '#shared/webhooks/index.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const token = 'twilio-token';
const statusUrl = 'https://api.omni.example/webhooks/twilio';
const mailbox = await mkdtemp(join(tmpdir(), 'omni-mailbox-'));
afterAll(() => rm(mailbox, { recursive: true }));
const environment = { TWILIO_AUTH_TOKEN: token, TWILIO_STATUS_URL: statusUrl, OMNI_MAILBOX_DIRECTORY: mailbox };
const runtime = await testRuntime({ environment });
const app = runtime.start(webhooks, createServices);
runtime.start(platform, platformServices);
await runtime.tenants.ensure('acme', { name: 'Acme' });

const formOf = (status: string, change: Readonly<Record<string, string>> = {}) =>
  new URLSearchParams({
    AccountSid: 'AC1',
    MessageSid: `SM${'0'.repeat(32)}`,
    MessageStatus: status,
    To: '+4915112345678',
    ...change,
  });

const sign = (path: string, form: URLSearchParams, by = token): string => {
  const fields = [...form].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  return createHmac('sha1', by)
    .update(`${statusUrl}${path}${fields.join('')}`)
    .digest('base64');
};

const deliver = (path: string, form: URLSearchParams, signature = sign(path, form)) =>
  request(app, `/webhooks/twilio${path}`, {
    body: String(form),
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature },
  });

/** A text message that is sent; the path that its carrier reports to. */
const sent = async () => {
  const dedupeKey = newId('code');
  const makeEvent = eventMaker({ source: 'omni/test', clock: runtime.clock, newId });
  const data = { code: '123456', minutes: 5 };
  const event = makeEvent(smsRequested, {
    tenant: 'acme',
    subject: dedupeKey,
    data: { template: 'mfa-code', to: '+4915112345678', locale: 'en', dedupeKey, data },
  });
  await runtime.database.transaction((transaction) => transaction.emit(event));
  await runtime.bus.idle();
  const id = messageId('acme', 'sms', dedupeKey);
  const state = async () => (await runtime.database.tenants(messageCollection).of('acme').get(id))?.value;
  return { path: `/acme/${id}`, state };
};

describe('POST /webhooks/twilio/{tenant}/{message}', () => {
  // https://www.twilio.com/docs/usage/webhooks/webhooks-security
  it("verifies Twilio's own example", () => {
    const verify = twilioVerifier({ authToken: '12345', statusUrl: 'https://mycompany.com/myapp.php' });
    const form = new URLSearchParams({
      To: '+18005551212',
      Digits: '1234',
      From: '+14158675309',
      Caller: '+14158675309',
      CallSid: 'CA1234567890ABCDE',
    });
    const signature = 'RSOYDt4T1cUTdK1PDd93/VVr8B8=';
    expect(() => verify('?foo=1&bar=2', form, signature)).not.toThrow();
    expect(() => verify('?foo=1&bar=3', form, signature)).toThrow();
  });

  it('notes once that a message arrived', async () => {
    const { path, state } = await sent();
    expect(await state()).toMatchObject({ status: 'sent' });
    expect(await (await deliver(path, formOf('delivered'))).json()).toEqual({ received: 'published' });
    expect(await (await deliver(path, formOf('delivered'))).json()).toEqual({ received: 'duplicate' });
    await runtime.bus.idle();
    expect(await state()).toMatchObject({ status: 'delivered' });
  });

  it('notes why a message did not arrive', async () => {
    const { path, state } = await sent();
    const form = formOf('undelivered', { ErrorCode: '30003', MessageSid: `SM${'1'.repeat(32)}` });
    expect((await deliver(path, form)).status).toBe(200);
    await runtime.bus.idle();
    expect(await state()).toMatchObject({ status: 'undelivered', reason: 'twilio-30003' });
  });

  it.each(['queued', 'sending', 'sent'])('ignores what is not final: %s', async (status) => {
    const { path, state } = await sent();
    expect(await (await deliver(path, formOf(status))).json()).toEqual({ received: 'ignored' });
    await runtime.bus.idle();
    expect(await state()).toMatchObject({ status: 'sent' });
  });

  it("refuses another message's, another tenant's and another form's signature", async () => {
    const { path, state } = await sent();
    const form = formOf('undelivered');
    const elsewhere = path.replace('/acme/', '/rival/');
    for (const [to, signature] of [
      [path, sign(`${path}x`, form)],
      [elsewhere, sign(path, form)],
      [path, sign(path, formOf('delivered'))],
      [path, sign(path, form, 'forged')],
      [path, ''],
    ] as const) {
      expect((await deliver(to, form, signature)).status).toBe(401);
    }
    await runtime.bus.idle();
    expect(await state()).toMatchObject({ status: 'sent' });
  });

  it('writes no number to the log', () => {
    expect(JSON.stringify(runtime.lines)).not.toContain('4915112345678');
  });
});

it('refuses everything where Twilio is not configured', async () => {
  const bare = await testRuntime();
  const unconfigured = bare.start(webhooks, createServices);
  const form = formOf('delivered');
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-twilio-signature': sign('/acme/msg_1', form),
  };
  expect((await request(unconfigured, '/webhooks/twilio/acme/msg_1', { body: String(form), headers })).status).toBe(
    401,
  );
});
