import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import { type ShopifyEventData, shopifyPrivacyRequested, shopifyReceived } from './webhook.events.ts';

/** What every app must honour (https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance). */
const privacyTopics = new Set(['customers/data_request', 'customers/redact', 'shop/redact']);

const headersSchema = z.object({
  'x-shopify-topic': z
    .string()
    .max(100)
    .regex(/^[a-z_]+\/[a-z_]+$/),
  'x-shopify-shop-domain': z
    .string()
    .max(255)
    .regex(/^[a-z0-9][a-z0-9.-]*$/i),
  'x-shopify-webhook-id': z.string().min(1).max(100),
});
const payloadSchema = z.looseObject({});

/** Throws `invalid-request` for what is no Shopify webhook. Headers by their lower-case names. */
export const shopifyDelivery = (
  headers: Readonly<Record<string, string>>,
  payload: unknown,
): Delivery<ShopifyEventData> => {
  const [head, body] = [headersSchema.safeParse(headers), payloadSchema.safeParse(payload)];
  if (!head.success || !body.success) throw new OmniError('invalid-request', 'This is no Shopify webhook.');
  const topic = head.data['x-shopify-topic'];
  const shop = head.data['x-shopify-shop-domain'].toLowerCase();
  const id = head.data['x-shopify-webhook-id'];
  return {
    provider: 'shopify',
    account: shop,
    eventId: id,
    type: topic,
    eventType: privacyTopics.has(topic) ? shopifyPrivacyRequested : shopifyReceived,
    subject: `${shop}/${topic}`,
    data: { id, topic, shop, payload: body.data },
  };
};
