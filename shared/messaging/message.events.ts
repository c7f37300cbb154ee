import * as z from 'zod';
import { defineEvent } from '../events/define-event.ts';
import { oneLine } from './one-line.ts';

/** A line of text that a person may have chosen. What could break out of its line becomes a space. */
const line = (max: number) => z.string().max(max).overwrite(oneLine);

/**
 * What people call themselves or their company. Mail programs make links of what looks like one, and a name in a mail
 * to a stranger must not: "Win at evil.example" becomes "Win at evil. example".
 */
const personal = line(200).overwrite((text) => text.replace(/[:/@\\]+/g, ' ').replace(/\.(?=\S)/g, '. '));

const link = z.url({ protocol: /^https?$/ }).max(2_048);
const minutes = z.int().min(1).max(10_080);

/** At most 254 characters (RFC 5321, section 4.5.3.1.3, less the angle brackets). */
export const emailAddress = z.email().max(254);
/** E.164: `+4930123456`. */
export const phoneNumber = z.e164();

const isLocale = (tag: string): boolean => {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
};

/** BCP 47, such as `de-AT`. */
export const localeSchema = z.string().max(35).refine(isLocale, 'Must be a BCP 47 language tag');

const envelope = {
  /** BCP 47. The nearest there is is taken: `de-AT` gets German. */
  locale: localeSchema.default('en'),
  /** Messages of one tenant and channel with the same key are one message. Such as the id of the code that is in it. */
  dedupeKey: z.string().min(1).max(200),
  /** From then on the message is not sent any more: nobody wants a code that has expired. */
  notAfter: z.iso.datetime().optional(),
};

const email = <N extends string, S extends z.ZodRawShape>(template: N, data: S) =>
  z.object({
    template: z.literal(template),
    to: emailAddress,
    /** `name` is the recipient's. */
    data: z.object({ name: personal.optional(), ...data }),
    ...envelope,
  });

const signIn = { at: z.iso.datetime(), device: line(200), place: line(200), link };

/** The templates there are, each with the data that it takes. */
const emails = [
  email('verify-email', { link, minutes }),
  email('magic-link', { link, minutes }),
  email('password-reset', { link, minutes }),
  /** To the old address. The new one shortened, as in `a…@example.com`. */
  email('email-changed', { newEmail: line(254), at: z.iso.datetime(), link }),
  email('password-changed', { at: z.iso.datetime(), link }),
  email('new-sign-in', signIn),
  /** To an administrator. */
  email('security-alert', { what: line(100), detail: line(500), at: z.iso.datetime(), link }),
  email('invitation', { inviter: personal, role: line(100), link, hours: z.int().min(1).max(720) }),
  /** To every owner: until `at` the link takes the deletion back. */
  email('tenant-deletion', { at: z.iso.datetime(), link }),
  email('tenant-suspended', { at: z.iso.datetime(), link }),
  email('mfa-code', { code: line(20), minutes }),
  /** `method` is one of `totp`, `passkey`, `sms`, `email` and `backup-code`. */
  email('factor-added', { method: line(20), at: z.iso.datetime(), link }),
  email('factor-removed', { method: line(20), at: z.iso.datetime(), link }),
  email('backup-code-used', { left: z.int().min(0).max(100), at: z.iso.datetime(), link }),
  email('codes-blocked', { at: z.iso.datetime(), link }),
  email('factor-reset-requested', { hours: z.int().min(1).max(720), at: z.iso.datetime(), link }),
  email('factor-reset-completed', { at: z.iso.datetime(), link }),
  email('payment-received', { seller: line(120), number: line(40), amount: line(40) }),
  email('payment-overdue', { seller: line(120), number: line(40), amount: line(40) }),
] as const;

const sms = <N extends string, S extends z.ZodRawShape>(template: N, data: S) =>
  z.object({ template: z.literal(template), to: phoneNumber, data: z.object(data), ...envelope });

const texts = [sms('mfa-code', { code: line(20), minutes }), sms('new-sign-in', signIn)] as const;

export const emailRequestSchema = z.discriminatedUnion('template', emails);
export type EmailRequest = z.infer<typeof emailRequestSchema>;
export const smsRequestSchema = z.discriminatedUnion('template', texts);
export type SmsRequest = z.infer<typeof smsRequestSchema>;

/** A command: send this email. It holds an address and perhaps a code, so it must never be logged. */
export const emailRequested = defineEvent('messaging.email.requested', emailRequestSchema, { confidential: true });
/** A command: send this text message. As for emails. */
export const smsRequested = defineEvent('messaging.sms.requested', smsRequestSchema, { confidential: true });

/** What a carrier said later of a text message. */
export const smsReportSchema = z.object({
  messageId: z.string().regex(/^msg_\w{1,64}$/),
  status: z.enum(['delivered', 'undelivered']),
  reason: z.string().max(50).optional(),
  suppress: z.enum(['invalid', 'opted-out']).optional(),
});
export type SmsReport = z.infer<typeof smsReportSchema>;
export const smsReported = defineEvent('messaging.sms.reported', smsReportSchema, { confidential: true });

/** Names of the data that each template takes. */
export const emailVariables: ReadonlyMap<string, readonly string[]> = new Map(
  emails.map(({ shape }) => [shape.template.value, Object.keys(shape.data.shape)]),
);
export const smsVariables: ReadonlyMap<string, readonly string[]> = new Map(
  texts.map(({ shape }) => [shape.template.value, Object.keys(shape.data.shape)]),
);
