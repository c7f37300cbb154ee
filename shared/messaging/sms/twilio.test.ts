import { afterAll, describe, expect, it } from 'vitest';
import { startTwilioServer, type TwilioBehaviour } from '#tests/support/twilio-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { smsSenderContract, someSms } from './sms-sender.contract.ts';
import { type TwilioOptions, twilioSms } from './twilio.ts';

const from = '+15005550006';
const service = `MG${'0'.repeat(32)}`;

const open = async (options: Partial<TwilioOptions> = {}) => {
  const twilio = await startTwilioServer();
  afterAll(() => twilio.stop());
  const clock = manualClock();
  const { baseUrl, accountSid, authToken } = twilio;
  return {
    twilio,
    clock,
    sender: twilioSms({ baseUrl, accountSid, authToken, from, clock, timeout: 0.3, ...options }),
  };
};

smsSenderContract('Twilio', async () => {
  const { twilio, sender } = await open();
  return { sender, arrived: async () => twilio.messages.map(({ to, body }) => ({ to, text: body })) };
});

describe('Twilio', () => {
  it('is told the sender, and where to report the status', async () => {
    const { twilio, sender } = await open({ statusUrl: 'https://api.omni.example/webhooks/twilio' });
    const sms = someSms();
    expect(await sender.send(sms)).toEqual({ status: 'accepted', reference: twilio.messages[0]?.sid });
    const statusCallback = `https://api.omni.example/webhooks/twilio/acme/${sms.id}`;
    expect(twilio.messages).toMatchObject([{ from, messaging_service_sid: null, statusCallback }]);
  });

  it('sends by a messaging service', async () => {
    const { twilio, sender } = await open({ from: service });
    await sender.send(someSms());
    expect(twilio.messages).toMatchObject([{ from: null, messaging_service_sid: service, statusCallback: null }]);
  });

  it('refuses for good a number that is none, and one that opted out', async () => {
    const { twilio, sender } = await open();
    twilio.optOut('+15005550004');
    expect(await sender.send(someSms({ to: '+0' }))).toEqual({
      status: 'refused',
      reason: 'twilio-21211',
      suppress: 'invalid',
    });
    expect(await sender.send(someSms({ to: '+15005550004' }))).toEqual({
      status: 'refused',
      reason: 'twilio-21610',
      suppress: 'opted-out',
    });
  });

  it.each<[string, TwilioBehaviour, object]>([
    ['a fixed line', { status: 400, code: 21614 }, { status: 'refused', reason: 'twilio-21614', suppress: 'invalid' }],
    ['another refusal', { status: 400, code: 21408 }, { status: 'refused', reason: 'twilio-21408' }],
    ['too many requests', { status: 429, code: 20429 }, { status: 'deferred', reason: 'twilio-20429' }],
  ])('tells %s apart', async (_what, behaviour, delivery) => {
    const { twilio, sender } = await open();
    twilio.behave(behaviour);
    expect(await sender.send(someSms())).toEqual(delivery);
  });

  it('makes messages wait while our credentials are wrong', async () => {
    const { sender } = await open({ authToken: 'old' });
    expect(await sender.send(someSms())).toEqual({ status: 'deferred', reason: 'twilio-20003' });
  });

  it.each<[string, TwilioBehaviour]>([
    ['a server error', { status: 500, code: 20500 }],
    ['silence', 'stall'],
    ['nonsense', 'nonsense'],
    ['a lost answer', 'keep-and-drop'],
  ])('leaves the outcome open after %s, and the repetition is sent once in all', async (_what, behaviour) => {
    const { twilio, sender } = await open();
    twilio.behave(behaviour);
    const sms = someSms();
    await expect(sender.send(sms)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await sender.send({ ...sms, repeated: true })).toEqual({
      status: 'accepted',
      reference: twilio.messages[0]?.sid,
    });
    expect(twilio.messages).toHaveLength(1);
  });

  it('is left in peace while it is down, and tried again by one call after a pause', async () => {
    const { twilio, sender, clock } = await open();
    twilio.behave(...Array.from({ length: 6 }, () => ({ status: 503, code: 20500 })));
    const send = () =>
      sender.send(someSms()).then(
        ({ status }) => status,
        () => 'failed',
      );
    for (let i = 0; i < 5; i += 1) await send();
    expect(twilio.requests).toHaveLength(5);
    expect(await send()).toBe('failed');
    expect(twilio.requests).toHaveLength(5);
    clock.advance(30_000);
    expect(await Promise.all([send(), send()])).toEqual(['failed', 'failed']);
    expect(twilio.requests).toHaveLength(6);
    clock.advance(30_000);
    expect(await send()).toBe('accepted');
    expect(await send()).toBe('accepted');
  });
});
