import { verify, X509Certificate } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import type { PayPalBook, PayPalEvent } from './book.ts';
import type { Asked, Operation } from './operations.ts';
import { PayPalRefusal, verifySchema, webhookSchema } from './schema.ts';
import { sandboxSigner, transmissionOf } from './signing.ts';

interface Webhook {
  readonly id: string;
  readonly merchant: string;
  readonly url: string;
  readonly event_types: readonly { readonly name: string }[];
}

const certificate = new X509Certificate(sandboxSigner.pem);

/** What PayPal sends as the body of an event. */
export const eventBody = ({ merchant: _, ...event }: PayPalEvent): string =>
  JSON.stringify({ event_version: '1.0', resource_version: '2.0', summary: 'An event', ...event });

/** Webhooks of apps, what was told, and whether a signature is PayPal's own. */
export const notificationsOn = (book: PayPalBook) => {
  const webhooks = new Map<string, Webhook>();
  const viewOf = ({ merchant: _, ...webhook }: Webhook) => webhook;
  const ofMerchant = (merchant: string) => [...webhooks.values()].filter((one) => one.merchant === merchant);

  const make = ({ merchant, body }: Asked): object => {
    const { url, event_types } = webhookSchema.parse(body);
    if (ofMerchant(merchant).some((one) => one.url === url)) throw new PayPalRefusal(400, 'WEBHOOK_URL_ALREADY_EXISTS');
    if (ofMerchant(merchant).length >= 10) throw new PayPalRefusal(400, 'WEBHOOK_NUMBER_LIMIT_EXCEEDED');
    const webhook = { id: `8PT${book.newId()}`, merchant, url, event_types };
    webhooks.set(webhook.id, webhook);
    return viewOf(webhook);
  };
  const get = ({ merchant, id }: Asked): object => {
    const webhook = webhooks.get(id);
    if (webhook?.merchant !== merchant) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return viewOf(webhook);
  };

  const page = z.coerce.number().int().min(1).max(300).default(10);
  const listEvents = ({ merchant, query }: Asked): object => {
    const [start, end] = [query.get('start_time') ?? '', query.get('end_time') ?? ''];
    const [from, size] = [Number(query.get('next_page_token') ?? 0), page.parse(query.get('page_size') ?? undefined)];
    const all = book.events.filter(
      (event) => event.merchant === merchant && event.create_time >= start && event.create_time <= end,
    );
    const next = new URLSearchParams(query);
    next.set('next_page_token', String(from + size));
    const href = `https://api-m.sandbox.paypal.com/v1/notifications/webhooks-events/?${next}`;
    return {
      events: all.slice(from, from + size).map(({ merchant: _, ...event }) => event),
      count: Math.min(size, all.length - from),
      links: from + size < all.length ? [{ href, rel: 'next', method: 'GET' }] : [],
    };
  };

  const judge = ({ merchant, body }: Asked): object => {
    const told = verifySchema.parse(body);
    const signed = [
      told.transmission_id,
      told.transmission_time,
      told.webhook_id,
      crc32(JSON.stringify(told.webhook_event)),
    ];
    const isGood =
      told.auth_algo === 'SHA256withRSA' &&
      webhooks.get(told.webhook_id)?.merchant === merchant &&
      verify(
        'RSA-SHA256',
        Buffer.from(signed.join('|')),
        certificate.publicKey,
        Buffer.from(told.transmission_sig, 'base64'),
      );
    return { verification_status: isGood ? 'SUCCESS' : 'FAILURE' };
  };

  const operations: readonly Operation[] = [
    ['GET', /^\/v1\/notifications\/webhooks$/, ({ merchant }) => ({ webhooks: ofMerchant(merchant).map(viewOf) }), 200],
    ['POST', /^\/v1\/notifications\/webhooks$/, make, 201],
    ['GET', /^\/v1\/notifications\/webhooks\/(\w+)$/, get, 200],
    ['GET', /^\/v1\/notifications\/webhooks-events\/?$/, listEvents, 200],
    ['POST', /^\/v1\/notifications\/verify-webhook-signature$/, judge, 200],
  ];

  /** What is sent of an event to a webhook. */
  const deliveryOf = (event: PayPalEvent, webhook: string) => {
    const body = eventBody(event);
    return { body, headers: transmissionOf(body, { webhook, time: event.create_time, id: event.id.toLowerCase() }) };
  };
  return { webhooks, operations, deliveryOf };
};
