import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import { type DomainEvent, platformTenant } from '../kernel/event.ts';
import { parseEvent } from './define-event.ts';
import { tickData } from './define-schedule.ts';

/** What Pub/Sub posts to a push endpoint (https://cloud.google.com/pubsub/docs/push#receive_push). */
const envelopeSchema = z.object({
  message: z.object({
    data: z.base64().optional(),
    messageId: z.string(),
    publishTime: z.iso.datetime(),
    attributes: z.record(z.string(), z.string()).optional(),
  }),
});

/**
 * A timer's tick carries no id of its own, because Cloud Scheduler sends the same bytes each time. Its minute names
 * it, so that a tick that is sent twice is one event.
 */
const tickEvent = (type: string, data: unknown, publishTime: string): DomainEvent => {
  const tick = tickData.parse(data);
  return {
    specversion: '1.0',
    id: `${type}@${publishTime.slice(0, 16)}`,
    source: 'omni/scheduler',
    type,
    subject: tick.schedule,
    time: publishTime,
    tenant: platformTenant,
    datacontenttype: 'application/json',
    data: tick,
  };
};

/** Its data is JSON text where it comes over the topic; an object where somebody publishes by hand. */
const withData = (event: unknown): unknown =>
  typeof event === 'object' && event !== null && 'data' in event && typeof event.data === 'string'
    ? { ...event, data: JSON.parse(event.data) }
    : event;

/** The event in a pushed message. Fails with `invalid-request` on anything else. */
export const eventOfPush = (body: unknown): DomainEvent => {
  try {
    const { message } = envelopeSchema.parse(body);
    const data: unknown = JSON.parse(Buffer.from(message.data ?? '', 'base64').toString());
    const type = message.attributes?.type ?? '';
    if (type.startsWith('schedule.')) return tickEvent(type, data, message.publishTime);
    return parseEvent(withData(data));
  } catch (error) {
    throw new OmniError('invalid-request', 'The message carries no event.', { cause: error });
  }
};
