import { afterAll, describe, expect, it } from 'vitest';
import {
  type ReceivedMail,
  type SmtpBehaviour,
  startSmtpServer,
  type TestSmtpServerOptions,
} from '#tests/support/smtp-server.ts';
import { type Arrived, mailerContract, someEmail } from './mailer.contract.ts';
import { type SmtpOptions, smtpMailer } from './smtp.ts';

const from = 'no-reply@omni.example';

const open = async (
  server: TestSmtpServerOptions = {},
  options: Partial<SmtpOptions> & { query?: string; user?: string } = {},
) => {
  const smtp = await startSmtpServer(server);
  const { query = '', user = '', ...rest } = options;
  const mailer = smtpMailer({
    url: `smtp://${user}127.0.0.1:${smtp.port}${query}`,
    from,
    requireTls: false,
    timeout: 2,
    ...rest,
  });
  afterAll(async () => {
    await mailer.close();
    await smtp.stop();
  });
  return { smtp, mailer };
};

const arrivedOf = ({ headers, to, text, html }: ReceivedMail): Arrived => ({
  id: /^<(.+)@omni\.example>$/.exec(headers['message-id'] ?? '')?.[1] ?? '',
  to: to[0] ?? '',
  fromName: (headers.from ?? '').replace(/ <no-reply@omni\.example>$/, '').replace(/^"(.*)"$/, '$1'),
  replyTo: headers['reply-to'],
  subject: headers.subject ?? '',
  text,
  html,
});

mailerContract('SMTP', async () => {
  const { smtp, mailer } = await open();
  return { mailer, arrived: async () => smtp.received.map(arrivedOf) };
});

describe('over SMTP', async () => {
  const { smtp, mailer } = await open();

  it('a mail comes from our address, says that a machine wrote it, and shares a connection with the next', async () => {
    const before = smtp.connections();
    await mailer.send(someEmail());
    await mailer.send(someEmail());
    const mail = smtp.received.at(-1);
    expect(mail).toMatchObject({ from, to: ['ada@example.com'], headers: { 'auto-submitted': 'auto-generated' } });
    expect(smtp.connections() - before).toBeLessThanOrEqual(1);
  });

  it.each([
    ['the subject', { subject: 'Hi\r\nBcc: all@example.com\r\n\r\n<b>body</b>' }],
    ["the sender's name", { fromName: 'Acme"\r\nBcc: all@example.com\r\nX: "' }],
    ["the sender's name as an address", { fromName: 'evil@example.com>, "x' }],
    ['the recipient', { to: 'ada@example.com\r\nRCPT TO:<all@example.com>' }],
    ['the recipient as a list', { to: 'ada@example.com, all@example.com' }],
    ['the reply address', { replyTo: 'a@example.com\r\nBcc: all@example.com' }],
  ])('%s smuggles in no header and no recipient', async (_what, change) => {
    const before = smtp.received.length;
    await mailer.send(someEmail(change)).catch(() => undefined);
    for (const { to, headers } of smtp.received.slice(before)) {
      expect(to).toHaveLength(1);
      expect(headers).not.toHaveProperty('bcc');
      expect(headers).not.toHaveProperty('x');
      expect(headers.from).toContain('<no-reply@omni.example>');
    }
  });

  it.each<[string, SmtpBehaviour, object]>([
    [
      'no such user',
      { at: 'rcpt', code: 550, message: '5.1.1 No such user' },
      { status: 'refused', reason: 'smtp-550', suppress: 'bounced' },
    ],
    [
      'no such user, without an enhanced code',
      { at: 'rcpt', code: 550, message: 'No such user' },
      { status: 'refused', suppress: 'bounced' },
    ],
    ['a policy', { at: 'rcpt', code: 550, message: '5.7.1 Blocked' }, { status: 'refused', reason: 'smtp-550' }],
    [
      'a full mailbox',
      { at: 'rcpt', code: 552, message: '5.2.2 Mailbox full' },
      { status: 'refused', reason: 'smtp-552' },
    ],
    ['spam', { at: 'data', code: 554, message: '5.7.1 Looks like spam' }, { status: 'refused', reason: 'smtp-554' }],
    [
      'greylisting',
      { at: 'rcpt', code: 450, message: '4.2.0 Come back later' },
      { status: 'deferred', reason: 'smtp-450' },
    ],
    [
      'a server that is busy',
      { at: 'data', code: 451, message: '4.3.0 Busy' },
      { status: 'deferred', reason: 'smtp-451' },
    ],
    [
      'a sender that is not allowed',
      { at: 'mail', code: 553, message: '5.7.1 Not your address' },
      { status: 'deferred' },
    ],
  ])('%s is told apart', async (_what, behaviour, delivery) => {
    smtp.behave(behaviour);
    const told = await mailer.send(someEmail());
    expect(told).toMatchObject(delivery);
    expect('suppress' in told).toBe('suppress' in delivery);
    expect(await mailer.send(someEmail())).toMatchObject({ status: 'accepted' });
  });

  it.each(['stall', 'drop', 'keep-and-drop'] as const)(
    'a server that does “%s” leaves the outcome open, and the mail is not repeated here',
    async (behaviour) => {
      const before = smtp.received.length;
      smtp.behave(behaviour);
      await expect(mailer.send(someEmail())).rejects.toMatchObject({ code: 'unavailable' });
      expect(smtp.received.length - before).toBe(behaviour === 'keep-and-drop' ? 1 : 0);
      expect(await mailer.send(someEmail())).toMatchObject({ status: 'accepted' });
    },
  );
});

describe('with TLS required', () => {
  it('a server without it gets nothing', async () => {
    const { smtp, mailer } = await open({}, { requireTls: true });
    expect(await mailer.send(someEmail())).toMatchObject({ status: 'deferred' });
    expect(smtp.received).toEqual([]);
  });

  it('a server with a certificate that nobody vouches for gets nothing', async () => {
    const { smtp, mailer } = await open({ startTls: true }, { requireTls: true });
    await mailer.send(someEmail()).catch(() => undefined);
    expect(smtp.received).toEqual([]);
  });

  it('the mail goes over an encrypted connection', async () => {
    const { smtp, mailer } = await open(
      { startTls: true },
      { requireTls: true, query: '?tls.rejectUnauthorized=false' },
    );
    expect(await mailer.send(someEmail())).toMatchObject({ status: 'accepted' });
    expect(smtp.received).toMatchObject([{ secure: true }]);
  });
});

describe('a server that wants a password', () => {
  const login = { user: 'omni', password: 'p@ss word' };

  it('gets it from the address', async () => {
    const { smtp, mailer } = await open({ login }, { user: 'omni:p%40ss%20word@' });
    expect(await mailer.send(someEmail())).toMatchObject({ status: 'accepted' });
    expect(smtp.received).toHaveLength(1);
  });

  it('and refuses it makes the mail wait: the fault is ours', async () => {
    const { mailer } = await open({ login }, { user: 'omni:wrong@' });
    expect(await mailer.send(someEmail())).toMatchObject({ status: 'deferred' });
  });
});

it('makes a mail wait where nobody listens', async () => {
  const { smtp, mailer } = await open();
  await smtp.stop();
  await expect(
    mailer.send(someEmail()).then(
      ({ status }) => status,
      ({ code }) => code,
    ),
  ).resolves.toMatch(/deferred|unavailable/);
});
