import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import type { Mailer } from '../mail/mailer.ts';
import type { SmsSender } from '../sms/sms-sender.ts';

const common = { id: z.string(), at: z.iso.datetime(), to: z.string(), text: z.string() };
const entrySchema = z.discriminatedUnion('channel', [
  z.object({
    ...common,
    channel: z.literal('email'),
    fromName: z.string(),
    replyTo: z.string().optional(),
    subject: z.string(),
    html: z.string(),
  }),
  z.object({ ...common, channel: z.literal('sms') }),
]);
/** A message as it would have been sent. */
export type MailboxEntry = z.infer<typeof entrySchema>;

/** A folder of messages on a developer's machine, in the place of mail server and phones. All functions share it. */
export interface Mailbox {
  /** The message with the same id is replaced: an attempt that is repeated is one message. */
  put(entry: MailboxEntry): Promise<void>;
  get(id: string): Promise<MailboxEntry | undefined>;
  /** Newest first. */
  list(): Promise<readonly MailboxEntry[]>;
}

/** Messages that are kept. */
const capacity = 200;

const fileName = /^\w{1,100}\.json$/;

export const openMailbox = (directory: string): Mailbox => {
  const read = async (file: string): Promise<MailboxEntry | undefined> => {
    if (!fileName.test(file)) return undefined;
    try {
      return entrySchema.parse(JSON.parse(await readFile(join(directory, file), 'utf8')));
    } catch {
      // Taken away meanwhile, or not ours.
      return undefined;
    }
  };
  const list: Mailbox['list'] = async () => {
    const files = await readdir(directory).catch(() => []);
    const entries = (await Promise.all(files.map(read))).filter((entry) => entry !== undefined);
    return entries.sort((a, b) => (a.at > b.at ? -1 : 1));
  };
  return {
    list,
    get: (id) => read(`${id}.json`),
    put: async (entry) => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const draft = join(directory, `.${randomUUID()}`);
      await writeFile(draft, JSON.stringify(entry), { mode: 0o600 });
      await rename(draft, join(directory, `${entry.id}.json`));
      const old = (await list()).slice(capacity);
      await Promise.all(old.map(({ id }) => rm(join(directory, `${id}.json`), { force: true })));
    },
  };
};

interface Parts {
  readonly mailbox: Mailbox;
  readonly clock: Clock;
}

/** Puts mail into the mailbox instead of sending it. */
export const mailboxMailer = ({ mailbox, clock }: Parts): Mailer => ({
  send: async (email) => {
    await mailbox.put({ channel: 'email', at: isoTime(clock.now()), ...email });
    return { status: 'accepted', reference: email.id };
  },
});

/** Puts text messages into the mailbox instead of sending them. */
export const mailboxSms = ({ mailbox, clock }: Parts): SmsSender => ({
  send: async ({ id, to, text }) => {
    await mailbox.put({ channel: 'sms', at: isoTime(clock.now()), id, to, text });
    return { status: 'accepted', reference: id };
  },
});
