import { afterAll, describe, expect, it } from 'vitest';
import { type Killer, killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { startSmtpServer } from '#tests/support/smtp-server.ts';
import { startTwilioServer } from '#tests/support/twilio-server.ts';
import { createDeadLetters, deadLetterCollection } from '../../events/dead-letters.ts';
import { eventMaker } from '../../events/define-event.ts';
import { createInbox, inboxCollection } from '../../events/inbox.ts';
import { createJobRunner, type Outcome } from '../../events/job-runner.ts';
import { systemActor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { createMetrics, memoryLogger } from '../../telemetry/index.ts';
import { smtpMailer } from '../mail/smtp.ts';
import { type EmailRequest, emailRequested, smsReported, smsRequested } from '../message.events.ts';
import { twilioSms } from '../sms/twilio.ts';
import { suppressionCollection } from '../suppressions/suppression.schema.ts';
import { createSuppressionService } from '../suppressions/suppression.service.ts';
import { brandingSchema } from '../templates/branding.ts';
import { templateCollection } from '../templates/template.schema.ts';
import { createTemplateService } from '../templates/template.service.ts';
import { noteSmsReport, sendEmail, sendSms } from './message.jobs.ts';
import { messageCollection, messageId } from './message.schema.ts';
import { createMessageService } from './message.service.ts';

const smtp = await startSmtpServer();
const twilio = await startTwilioServer();
const mailer = smtpMailer({
  url: `smtp://127.0.0.1:${smtp.port}`,
  from: 'no-reply@omni.example',
  requireTls: false,
  timeout: 2,
});
afterAll(async () => {
  await mailer.close();
  await Promise.all([smtp.stop(), twilio.stop()]);
});

const clock = manualClock();
const logger = memoryLogger();
const makeEvent = eventMaker({ source: 'omni/test', clock, newId });

/** Another instance each time: the breaker of one that was killed is not the next one's. */
const sms = () => twilioSms({ ...twilio, from: '+15005550006', clock, timeout: 0.3 });

/** One process, which may be killed at any of its calls: to the database, the mail server or Twilio. */
const processOn = (database: Database, killer?: Killer) => {
  const step: Killer['step'] = killer?.step ?? ((call) => call());
  const [mail, phone] = [mailer, sms()];
  const entries = database.platform(inboxCollection);
  const deadLetters = createDeadLetters({
    database,
    letters: database.platform(deadLetterCollection),
    inbox: entries,
    clock,
  });
  const run = createJobRunner({ database, inbox: createInbox({ entries, clock }), deadLetters, logger });
  const messages = createMessageService({
    messages: database.tenants(messageCollection),
    suppressions: database.tenants(suppressionCollection),
    templates: createTemplateService({ templates: database.tenants(templateCollection), logger }),
    brandingOf: async () => brandingSchema.parse({ name: 'Acme', replyTo: 'help@acme.example' }),
    mailer: { send: (email) => step(() => mail.send(email)) },
    smsSender: { send: (message) => step(() => phone.send(message)) },
    clock,
    logger,
    metrics: createMetrics({ service: 'test' }),
  });
  const deliver = async (event: DomainEvent): Promise<Outcome> => {
    for (const job of [sendEmail, sendSms, noteSmsReport]) {
      if (job.eventTypes.includes(event.type)) return run(job, event, { messages });
    }
    throw new Error(`Nobody takes ${event.type}.`);
  };
  return { deliver, deadLetters };
};

/** Again and again, as the bus does, until it is acknowledged. */
const untilDone = async (database: Database, event: DomainEvent): Promise<Outcome> => {
  for (;;) {
    const outcome = await processOn(database).deliver(event);
    if (outcome !== 'retry' && outcome !== 'busy') return outcome;
    clock.advance(600_000);
  }
};

const someTenant = () => newId('t').toLowerCase();

interface Change {
  readonly to?: string;
  readonly dedupeKey?: string;
  readonly notAfter?: string;
  readonly locale?: string;
  readonly code?: string;
}
const codeBy = (channel: 'email' | 'sms', tenant: string, change: Change = {}): DomainEvent => {
  const dedupeKey = change.dedupeKey ?? newId('code');
  const code = change.code ?? String(Math.floor(100_000 + Math.random() * 900_000)) + dedupeKey.slice(-6);
  const { notAfter, locale = 'en' } = change;
  const common = { locale, dedupeKey, data: { code, minutes: 10 }, ...(notAfter === undefined ? {} : { notAfter }) };
  return channel === 'email'
    ? makeEvent(emailRequested, {
        tenant,
        subject: dedupeKey,
        data: { template: 'mfa-code', to: change.to ?? 'ada@example.com', ...common },
      })
    : makeEvent(smsRequested, {
        tenant,
        subject: dedupeKey,
        data: { template: 'mfa-code', to: change.to ?? '+4915112345678', ...common },
      });
};

const idOf = ({ tenant, subject }: DomainEvent, channel: 'email' | 'sms') => messageId(tenant, channel, subject);
const mailsOf = (event: DomainEvent) =>
  smtp.received.filter(({ headers }) => headers['message-id'] === `<${idOf(event, 'email')}@omni.example>`);
const textsOf = (event: DomainEvent) => {
  const { data } = smsRequested.schema.parse(event.data) satisfies { data: object };
  return twilio.messages.filter(({ body }) => 'code' in data && body.startsWith(`${data.code} `));
};

describe.each([
  ['the embedded store', databaseOn(embeddedDriver(), { now: clock.now })],
  ['Firestore', testDatabase({ now: clock.now })],
])('on %s', (_name, database) => {
  const stateOf = async (event: DomainEvent, channel: 'email' | 'sms' = 'email') =>
    (await database.tenants(messageCollection).of(event.tenant).get(idOf(event, channel)))?.value;
  const suppressions = createSuppressionService({ suppressions: database.tenants(suppressionCollection), clock });

  it('an email is sent once, however often its event comes', async () => {
    const event = codeBy('email', someTenant(), { locale: 'de' });
    expect(await processOn(database).deliver(event)).toBe('done');
    expect(await processOn(database).deliver(event)).toBe('duplicate');
    expect(mailsOf(event)).toMatchObject([
      { headers: { subject: 'Ihr Code für Acme', 'reply-to': 'help@acme.example' } },
    ]);
    expect(await stateOf(event)).toMatchObject({ channel: 'email', template: 'mfa-code', status: 'sent', attempts: 1 });
  });

  it('two requests with one key are one message, also at once, and in two tenants two', async () => {
    const [tenant, other] = [someTenant(), someTenant()];
    const dedupeKey = newId('code');
    const events = Array.from({ length: 5 }, () => codeBy('email', tenant, { dedupeKey }));
    const elsewhere = codeBy('email', other, { dedupeKey });
    const outcomes = await Promise.all([...events, elsewhere].map((event) => untilDone(database, event)));
    expect(new Set(outcomes)).toEqual(new Set(['done']));
    expect(mailsOf(elsewhere)).toHaveLength(1);
    for (const event of events) expect(mailsOf(event)).toHaveLength(1);
  });

  it('what is refused for now is sent later', async () => {
    const event = codeBy('email', someTenant());
    smtp.behave({ at: 'rcpt', code: 450, message: '4.2.0 Come back later' });
    expect(await processOn(database).deliver(event)).toBe('retry');
    expect(await stateOf(event)).toMatchObject({ status: 'queued', reason: 'smtp-450', attempts: 1 });
    expect(await untilDone(database, event)).toBe('done');
    expect(await stateOf(event)).toMatchObject({ status: 'sent', attempts: 2 });
    expect(await stateOf(event)).not.toHaveProperty('reason');
  });

  it('what is refused for good is not tried again, and its address gets nothing more, in this tenant', async () => {
    const [tenant, other] = [someTenant(), someTenant()];
    const [event, later, elsewhere] = [
      codeBy('email', tenant),
      codeBy('email', tenant, { to: 'ADA@example.com' }),
      codeBy('email', other),
    ];
    smtp.behave({ at: 'rcpt', code: 550, message: '5.1.1 No such user' });
    expect(await processOn(database).deliver(event)).toBe('done');
    expect(await stateOf(event)).toMatchObject({ status: 'failed', reason: 'smtp-550' });
    await processOn(database).deliver(later);
    await processOn(database).deliver(elsewhere);
    expect([mailsOf(event), mailsOf(later)]).toEqual([[], []]);
    expect(await stateOf(later)).toMatchObject({ status: 'suppressed', reason: 'bounced', attempts: 0 });
    expect(mailsOf(elsewhere)).toHaveLength(1);
    await suppressions.unsuppress(systemActor(other, 'x'), 'email', 'ada@example.com');
    expect(await suppressions.find(systemActor(tenant, 'x'), 'email', 'ada@example.com')).toMatchObject({
      reason: 'bounced',
    });
    await suppressions.unsuppress(systemActor(tenant, 'x'), 'email', 'ada@example.com');
    const again = codeBy('email', tenant);
    await processOn(database).deliver(again);
    expect(mailsOf(again)).toHaveLength(1);
  });

  it('a message that nobody wants any more is not sent', async () => {
    const event = codeBy('email', someTenant(), { notAfter: new Date(clock.now() + 60_000).toISOString() });
    smtp.behave({ at: 'rcpt', code: 450, message: 'later' });
    await processOn(database).deliver(event);
    clock.advance(60_000);
    expect(await processOn(database).deliver(event)).toBe('done');
    expect(await stateOf(event)).toMatchObject({ status: 'expired', attempts: 1 });
    expect(mailsOf(event)).toEqual([]);
  });

  it('a message is given up after ten attempts, and a redrive sends it after all', async () => {
    const event = codeBy('email', someTenant());
    smtp.behave(...Array.from({ length: 10 }, () => ({ at: 'rcpt', code: 451, message: 'busy' }) as const));
    expect(await untilDone(database, event)).toBe('dead');
    expect(await stateOf(event)).toMatchObject({ status: 'failed', reason: 'smtp-451', attempts: 10 });
    await processOn(database).deadLetters.redrive(`messaging.send-email:${event.id}`);
    expect(await processOn(database).deliver(event)).toBe('done');
    expect(await stateOf(event)).toMatchObject({ status: 'sent', attempts: 11 });
    expect(mailsOf(event)).toHaveLength(1);
  });

  it('a text message whose answer was lost is found at Twilio, not sent again', async () => {
    const event = codeBy('sms', someTenant());
    twilio.behave('keep-and-drop');
    expect(await processOn(database).deliver(event)).toBe('retry');
    expect(await stateOf(event, 'sms')).toMatchObject({ status: 'sending', reason: 'unknown-outcome' });
    expect(await untilDone(database, event)).toBe('done');
    expect(textsOf(event)).toHaveLength(1);
    expect(await stateOf(event, 'sms')).toMatchObject({ status: 'sent', reference: textsOf(event)[0]?.sid });
  });

  it('a report of the carrier is noted, in any order with the rest, and the last word is that it arrived', async () => {
    const tenant = someTenant();
    const event = codeBy('sms', tenant);
    const report = (status: 'delivered' | 'undelivered', change = {}) => {
      const messageIdOf = idOf(event, 'sms');
      return makeEvent(smsReported, {
        tenant,
        subject: messageIdOf,
        data: { messageId: messageIdOf, status, ...change },
      });
    };
    // Of a message that is not known (yet): nothing to note.
    expect(await processOn(database).deliver(report('delivered'))).toBe('done');
    expect(await stateOf(event, 'sms')).toBeUndefined();
    await processOn(database).deliver(event);
    await processOn(database).deliver(report('undelivered', { reason: 'twilio-30005', suppress: 'invalid' }));
    expect(await stateOf(event, 'sms')).toMatchObject({ status: 'undelivered', reason: 'twilio-30005' });
    expect(await suppressions.find(systemActor(tenant, 'x'), 'sms', '+4915112345678')).toMatchObject({
      reason: 'invalid',
    });
    await processOn(database).deliver(report('delivered'));
    await processOn(database).deliver(report('undelivered'));
    expect(await stateOf(event, 'sms')).toMatchObject({ status: 'delivered' });
  });
});

describe.each(['before', 'after'] as const)('a process that is killed at any call, %s it takes effect', (when) => {
  const atEveryCall = async (run: (database: (killer?: Killer) => Database, killer: Killer) => Promise<void>) => {
    for (let nth = 1; ; nth += 1) {
      const driver: Driver = embeddedDriver();
      const killer = killAt(nth, when);
      await run((by) => databaseOn(by?.driver(driver) ?? driver, { now: clock.now }), killer);
      if (killer.calls() < nth) return nth - 1;
    }
  };

  it('loses no email, and repeats one only under its own Message-ID, where nobody could know', async () => {
    const copies: number[] = [];
    const tried = await atEveryCall(async (open, killer) => {
      const event = codeBy('email', someTenant());
      await processOn(open(killer), killer)
        .deliver(event)
        .catch(() => undefined);
      clock.advance(600_000);
      expect(await untilDone(open(), event)).toMatch(/done|duplicate/);
      for (let i = 0; i < 3; i += 1) expect(await processOn(open()).deliver(event)).toBe('duplicate');
      const state = await open().tenants(messageCollection).of(event.tenant).get(idOf(event, 'email'));
      expect(state?.value.status).toBe('sent');
      copies.push(mailsOf(event).length);
    });
    expect(tried).toBeGreaterThanOrEqual(7);
    expect(Math.min(...copies)).toBe(1);
    expect(Math.max(...copies)).toBe(2);
    // Killed after the server took it and before that was noted; at no other call.
    expect(copies.filter((count) => count === 2).length).toBeLessThanOrEqual(3);
  });

  it('sends a text message exactly once', async () => {
    await atEveryCall(async (open, killer) => {
      const event = codeBy('sms', someTenant());
      await processOn(open(killer), killer)
        .deliver(event)
        .catch(() => undefined);
      clock.advance(600_000);
      await untilDone(open(), event);
      expect(textsOf(event)).toHaveLength(1);
      const state = await open().tenants(messageCollection).of(event.tenant).get(idOf(event, 'sms'));
      expect(state?.value).toMatchObject({ status: 'sent', reference: textsOf(event)[0]?.sid });
    });
  });
});

it('neither the log nor what is stored of a message tells an address, a name or a code', async () => {
  const driver = embeddedDriver();
  const database = databaseOn(driver, { now: clock.now });
  const tenant = someTenant();
  const secrets = ['grace@example.com', '+4915199999999', 'Grace Hopper', 'SECRET77'];
  const request = (change: Partial<EmailRequest>) =>
    ({
      template: 'mfa-code',
      to: 'grace@example.com',
      locale: 'en',
      data: { name: 'Grace Hopper', code: 'SECRET77', minutes: 5 },
      dedupeKey: newId('code'),
      ...change,
    }) as const;
  const email = makeEvent(emailRequested, { tenant, subject: 'x', data: emailRequested.schema.parse(request({})) });
  const text = codeBy('sms', tenant, { to: '+4915199999999', code: 'SECRET77' });
  for (const message of ['5.1.1 <grace@example.com> is no user', '4.2.0 <grace@example.com> is greylisted']) {
    smtp.behave({ at: 'rcpt', code: message.startsWith('5') ? 550 : 450, message });
  }
  smtp.behave('keep-and-drop');
  twilio.behave({ status: 500, code: 20500 }, { status: 400, code: 21211 });
  const retried = makeEvent(emailRequested, {
    tenant: someTenant(),
    subject: 'x',
    data: emailRequested.schema.parse(request({})),
  });
  await untilDone(database, email);
  await untilDone(database, retried);
  await untilDone(database, text);
  const lines = JSON.stringify(logger.lines);
  const stored = JSON.stringify([
    (await database.tenants(messageCollection).of(tenant).query({ limit: 100 })).items,
    (await database.tenants(suppressionCollection).of(tenant).query({ limit: 100 })).items,
  ]);
  expect(logger.lines.length).toBeGreaterThan(2);
  for (const secret of secrets) {
    expect(lines).not.toContain(secret);
    expect(stored).not.toContain(secret);
  }
});
