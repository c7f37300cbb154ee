import { describe, expect, it } from 'vitest';
import type { Email, Mailer } from './mailer.ts';

/** A mail as its recipient gets it. */
export interface Arrived {
  readonly id: string;
  readonly to: string;
  readonly fromName: string;
  readonly replyTo: string | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailerHarness {
  readonly mailer: Mailer;
  /** All that arrived, in any order. */
  readonly arrived: () => Promise<readonly Arrived[]>;
}

let last = 0;
/** An email that nobody else sends. */
export const someEmail = (change: Partial<Email> = {}): Email => {
  last += 1;
  return {
    id: `msg_${last}`,
    to: 'ada@example.com',
    fromName: 'Acme',
    replyTo: 'help@example.com',
    subject: 'Your code',
    text: 'It is 123456.',
    html: '<p>It is <b>123456</b>.</p>',
    ...change,
  };
};

/** What every mailer does. */
export const mailerContract = (name: string, start: () => Promise<MailerHarness>): void => {
  describe(`the mailer contract: ${name}`, async () => {
    const { mailer, arrived } = await start();
    const find = async (id: string) => (await arrived()).filter((mail) => mail.id === id);

    it('delivers a mail as it is', async () => {
      const email = someEmail();
      expect(await mailer.send(email)).toMatchObject({ status: 'accepted' });
      expect(await find(email.id)).toEqual([email]);
    });

    it('delivers what is not ASCII, and lines of any length', async () => {
      const text = `Grüße, 日本 👋\n.\nÄ${'x'.repeat(2_000)}`;
      const email = someEmail({
        subject: `Bestätigen: ${'ü'.repeat(100)}`,
        fromName: 'Müller “& Söhne”, GmbH',
        text,
        html: `<p>${text}</p>`,
      });
      await mailer.send(email);
      expect(await find(email.id)).toEqual([email]);
    });

    it('delivers a mail without a reply address', async () => {
      const email = someEmail({ replyTo: undefined });
      await mailer.send(email);
      expect((await find(email.id))[0]?.replyTo).toBeUndefined();
    });

    it('delivers twenty at once', async () => {
      const emails = Array.from({ length: 20 }, () => someEmail());
      const deliveries = await Promise.all(emails.map((email) => mailer.send(email)));
      expect(deliveries.every(({ status }) => status === 'accepted')).toBe(true);
      for (const email of emails) expect(await find(email.id)).toHaveLength(1);
    });

    it('gives a repeated mail the same id', async () => {
      const email = someEmail();
      await mailer.send(email);
      await mailer.send(email);
      const copies = await find(email.id);
      expect(copies.length).toBeGreaterThan(0);
      expect(new Set(copies.map(({ id }) => id)).size).toBe(1);
    });
  });
};
