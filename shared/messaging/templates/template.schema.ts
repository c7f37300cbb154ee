import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { emailRequestSchema, localeSchema, smsRequestSchema } from '../message.events.ts';

const emailTemplate = z.enum(emailRequestSchema.options.map(({ shape }) => shape.template.value));
const smsTemplate = z.enum(smsRequestSchema.options.map(({ shape }) => shape.template.value));

const emailKey = { channel: z.literal('email'), template: emailTemplate, locale: localeSchema };
const smsKey = { channel: z.literal('sms'), template: smsTemplate, locale: localeSchema };

/** Which message, in which language. */
export const templateKeySchema = z.discriminatedUnion('channel', [z.object(emailKey), z.object(smsKey)]);
export type TemplateKey = z.infer<typeof templateKeySchema>;

const line = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'Must be one line');

/** Liquid sources. What they may use, `docs/messaging.md` says. */
const emailSource = z.object({
  ...emailKey,
  content: z.object({ subject: line, text: z.string().min(1).max(20_000), html: z.string().min(1).max(60_000) }),
});
const smsSource = z.object({ ...smsKey, content: z.object({ text: z.string().min(1).max(1_000) }) });

export const templateSchema = z.discriminatedUnion('channel', [emailSource, smsSource]).meta({
  id: 'MessageTemplate',
  description: "A tenant's own wording of a message, in Liquid.",
  examples: [{ channel: 'sms', template: 'mfa-code', locale: 'en', content: { text: '{{ code }} is your code.' } }],
});
export type MessageTemplate = z.infer<typeof templateSchema>;

/** By `channel:template:locale`, the locale in lower case. */
export const templateCollection = tenantCollection<MessageTemplate>({
  name: 'messageTemplates',
  schema: templateSchema,
  unindexed: ['content'],
});

export const templateId = ({ channel, template, locale }: TemplateKey): string =>
  `${channel}:${template}:${locale.toLowerCase()}`;
