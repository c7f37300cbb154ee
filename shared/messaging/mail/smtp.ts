import type { NodemailerError } from 'nodemailer';
import { OmniError } from '../../kernel/errors.ts';
import { within } from '../../kernel/within.ts';
import type { Delivery } from '../delivery.ts';
import type { Mailer } from './mailer.ts';

export interface SmtpOptions {
  /** `smtps://user:password@host:465`, or `smtp://…:587` for STARTTLS. Nodemailer's options may follow as a query. */
  readonly url: string;
  /** The address that all mail comes from. Its domain is the Message-ID's right part too. */
  readonly from: string;
  /** Refuse to talk to a server without TLS. False on a developer's machine only. */
  readonly requireTls: boolean;
  /** For one message, from connecting to the answer to its last byte. Seconds, 30 where absent. */
  readonly timeout?: number;
}

export interface SmtpMailer extends Mailer {
  /** Closes pooled connections. */
  close(): Promise<void>;
}

/** Failures before the message itself was on its way. */
const beforeData = new Set(['EDNS', 'ETLS', 'EAUTH', 'ENOAUTH', 'EPROXY']);
const firstWaits = new Set(['CONNECT_TIMEOUT', 'GREETING_TIMEOUT', 'UPGRADE_TIMEOUT']);

/** RFC 3463 codes by which a mailbox or its domain does not exist, or is closed for good. */
const deadAddress = /\b5\.(?:1\.(?:1|2|3|6|10)|2\.1)\b/;
const enhancedCode = /\b5\.\d{1,3}\.\d{1,3}\b/;

/** A refusal of the recipient is a hard bounce unless its enhanced code names another reason, such as a policy. */
const isHardBounce = (code: number, response: string): boolean =>
  enhancedCode.test(response) ? deadAddress.test(response) : code === 550 || code === 551 || code === 553;

/** Undefined where nothing is known of the message. */
const deliveryOf = (failure: NodemailerError): Delivery | undefined => {
  const { code, command, responseCode, response, timeoutType } = failure;
  if (responseCode !== undefined) {
    const reason = `smtp-${responseCode}`;
    // What is said to our sender address or our password is not about this message.
    const isAboutMessage = command === 'RCPT TO' || command === 'DATA';
    if (responseCode < 500 || responseCode === 503 || !isAboutMessage) return { status: 'deferred', reason };
    const bounced = command === 'RCPT TO' && isHardBounce(responseCode, response ?? '');
    return { status: 'refused', reason, ...(bounced ? { suppress: 'bounced' } : {}) };
  }
  const isEarly = beforeData.has(String(code)) || firstWaits.has(String(timeoutType));
  return isEarly ? { status: 'deferred', reason: String(code) } : undefined;
};

const openTransport = async ({ url, requireTls }: SmtpOptions) => {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    url,
    pool: true,
    maxConnections: 5,
    // The job repeats; a repetition in here, after a connection broke, could double a message unseen.
    maxRequeues: 0,
    idleTimeout: 60_000,
    requireTLS: requireTls,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    dnsTimeout: 10_000,
    socketTimeout: 20_000,
    disableFileAccess: true,
    disableUrlAccess: true,
    tls: { minVersion: 'TLSv1.2' },
  });
};

/** Sends through an SMTP server (RFC 5321) over pooled connections. */
export const smtpMailer = (options: SmtpOptions): SmtpMailer => {
  const { from, timeout = 30 } = options;
  const domain = from.slice(from.lastIndexOf('@') + 1);
  let transport: ReturnType<typeof openTransport> | undefined;
  const open = () => {
    transport ??= openTransport(options);
    return transport;
  };
  return {
    send: async ({ id, to, fromName, replyTo, subject, text, html }) => {
      const messageId = `<${id}@${domain}>`;
      const message = {
        messageId,
        from: { name: fromName, address: from },
        // An object: a text would be read as a list of addresses.
        to: { name: '', address: to },
        ...(replyTo === undefined ? {} : { replyTo: { name: '', address: replyTo } }),
        subject,
        text,
        html,
        // RFC 3834: no out-of-office answers to this.
        headers: { 'Auto-Submitted': 'auto-generated' },
      };
      try {
        await within(timeout, async (signal) => (await open()).sendMail({ ...message, signal }));
        return { status: 'accepted', reference: messageId };
      } catch (error) {
        const delivery = error instanceof Error ? deliveryOf(error) : undefined;
        if (delivery !== undefined) return delivery;
        throw new OmniError('unavailable', 'The mail server gave no answer to rely on.', { cause: error });
      }
    },
    close: async () => {
      (await transport)?.close({ force: true });
    },
  };
};
