import * as z from 'zod';
import { derivedId } from '../../kernel/ids.ts';
import { tenantCollection } from '../../store/collection.ts';
import { type Channel, channelSchema } from '../suppressions/suppression.schema.ts';

export const messageStatusSchema = z.enum([
  /** Not taken yet; another attempt comes. */
  'queued',
  /** An attempt runs, or it ended without an answer: it may be on its way or not. */
  'sending',
  /** The mail server or carrier took over. */
  'sent',
  /** It reached the phone. */
  'delivered',
  /** It was taken over, and did not reach the phone. */
  'undelivered',
  /** Refused for good, or given up. */
  'failed',
  /** Not sent, because its address is suppressed. */
  'suppressed',
  /** Not sent, because it came too late to be of use. */
  'expired',
]);
export type MessageStatus = z.infer<typeof messageStatusSchema>;

/** What became of one message. Neither its address nor its text is kept. */
export const messageSchema = z.object({
  channel: channelSchema,
  template: z.string(),
  locale: z.string(),
  /** Hash of the address; the id of its suppression, if there is one. */
  recipient: z.string(),
  status: messageStatusSchema,
  /** Why it is in this status, as a code: `smtp-550`. */
  reason: z.string().optional(),
  /** The carrier's name for it. */
  reference: z.string().optional(),
  attempts: z.int().min(0),
  /** The request that it is sent for. Others with its key find it done. */
  eventId: z.string(),
  requestedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type Message = z.infer<typeof messageSchema>;

export const messageCollection = tenantCollection<Message>({
  name: 'messages',
  schema: messageSchema,
  ttl: 'expiresAt',
  unindexed: ['locale', 'reason', 'reference', 'attempts', 'eventId'],
});

/** Milliseconds. For so long a second request with the same key is known. */
export const messageRetention = 30 * 24 * 60 * 60 * 1_000;

export const messageId = (tenant: string, channel: Channel, dedupeKey: string): string =>
  derivedId('msg', tenant, channel, dedupeKey);
