import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manualClock } from '../../kernel/clock.ts';
import { mailerContract, someEmail } from '../mail/mailer.contract.ts';
import { smsSenderContract, someSms } from '../sms/sms-sender.contract.ts';
import { mailboxHandler } from './mailbox.http.ts';
import { mailboxMailer, mailboxSms, openMailbox } from './mailbox.ts';

const clock = manualClock();

const open = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'omni-mailbox-'));
  afterAll(() => rm(directory, { recursive: true }));
  const mailbox = openMailbox(directory);
  return { directory, mailbox, mailer: mailboxMailer({ mailbox, clock }), sender: mailboxSms({ mailbox, clock }) };
};

mailerContract('the mailbox', async () => {
  const { mailbox, mailer } = await open();
  return {
    mailer,
    arrived: async () =>
      (await mailbox.list()).flatMap((entry) => {
        if (entry.channel === 'sms') return [];
        const { id, to, fromName, replyTo, subject, text, html } = entry;
        return [{ id, to, fromName, replyTo, subject, text, html }];
      }),
  };
});

smsSenderContract('the mailbox', async () => {
  const { mailbox, sender } = await open();
  return { sender, arrived: () => mailbox.list() };
});

describe('the mailbox', () => {
  it('keeps the newest 200 messages, newest first, and lets no foreign file disturb it', async () => {
    const { directory, mailbox, sender } = await open();
    await writeFile(join(directory, 'foreign.json'), '{"no":"message"}');
    for (let i = 0; i < 203; i += 1) {
      clock.advance(1_000);
      await sender.send(someSms({ id: `msg_n${i}` }));
    }
    const entries = await mailbox.list();
    expect(entries).toHaveLength(200);
    expect([entries[0]?.id, entries[199]?.id]).toEqual(['msg_n202', 'msg_n3']);
    expect(await readdir(directory)).toHaveLength(201);
  });

  it('is empty before the first message, and finds nothing outside of its folder', async () => {
    const { directory } = await open();
    const mailbox = openMailbox(join(directory, 'later'));
    expect(await mailbox.list()).toEqual([]);
    expect(await mailbox.get('../../etc/passwd')).toBeUndefined();
  });
});

describe('the mailbox page', async () => {
  const { mailbox, mailer, sender } = await open();
  const handler = mailboxHandler({ mailbox, path: '/mailbox' });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterAll(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return {
      status: response.status,
      text: await response.text(),
      policy: response.headers.get('content-security-policy') ?? '',
    };
  };

  it('says so when there is nothing', async () => {
    expect((await get('/mailbox')).text).toContain('Nothing was sent yet');
  });

  it('lists what was sent, and shows it as text', async () => {
    const email = someEmail({ subject: '<script>alert(1)</script>', to: '"<b>"@example.com', text: 'Hi <script>' });
    const sms = someSms();
    await mailer.send(email);
    await sender.send(sms);
    const list = await get('/mailbox?x=1');
    expect(list.text).toContain(`href="/mailbox/${email.id}"`);
    expect(list.text).toContain(sms.text);
    const shown = await get(`/mailbox/${email.id}`);
    for (const { text, policy } of [list, shown]) {
      expect(text).not.toContain('<script>');
      expect(text).not.toContain('<b>"@');
      expect(policy).toContain("default-src 'none'");
    }
    expect(shown.text).toContain(`<iframe sandbox="allow-popups" src="/mailbox/${email.id}/html"`);
    expect((await get(`/mailbox/${sms.id}`)).text).toContain(sms.text);
  });

  it("shows a mail's HTML in a frame that may do nothing", async () => {
    const email = someEmail({ html: '<html><head></head><script>alert(1)</script>' });
    await mailer.send(email);
    const { text, policy } = await get(`/mailbox/${email.id}/html`);
    expect(text).toBe('<html><head><base target="_blank"></head><script>alert(1)</script>');
    expect(policy).toContain('sandbox allow-popups;');
    expect(policy).not.toContain('script-src');
    expect(policy).toContain("default-src 'none'");
  });

  it('answers 404 for what it does not have', async () => {
    expect((await get('/mailbox/msg_none')).status).toBe(404);
    expect((await get('/mailbox/msg_none/html')).status).toBe(404);
  });
});
