import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { lineOf, referenceOf, timeSchema } from './billing.fields.ts';
import { featureKeySchema } from './product.schema.ts';

const shape = {
  aggregation: z
    .enum(['sum', 'max', 'last', 'unique'])
    .meta({ description: 'Of values: their sum, the greatest, the latest; or how many different keys there were.' }),
  unit: lineOf(40)
    .optional()
    .meta({ description: 'What it counts, for people.', examples: ['API calls'] }),
  shards: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .meta({ description: 'Batches a second for one customer, about. More make reading dearer. It stays as it is.' }),
};

export const newMeterSchema = z
  .strictObject({ id: featureKeySchema, ...shape })
  .meta({ id: 'NewMeter', examples: [{ id: 'api-calls', aggregation: 'sum' }] });
export type NewMeter = z.infer<typeof newMeterSchema>;

export const meterSchema = z.object({ ...shape, active: z.boolean(), createdAt: timeSchema });
export type Meter = z.infer<typeof meterSchema>;
export const meterViewSchema = meterSchema.extend({ id: z.string() }).meta({ id: 'Meter' });
export type MeterView = z.infer<typeof meterViewSchema>;
export const meterCollection = tenantCollection<Meter>({ name: 'billingMeters', schema: meterSchema });

/** Days after which an event comes too late: it is refused, and a correction is what is left. */
export const lateDays = 35;
export const maxBatch = 10_000;
/** Events of one customer, meter and day, for each shard: what one document holds of their ids. */
export const maxEventsADay = 50_000;

export const usageEventSchema = z
  .strictObject({
    id: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[\x21-\x7e]+$/)
      .meta({ description: 'Yours. With customer, meter and day it makes the event one, however often it is sent.' }),
    customer: referenceOf('cus'),
    meter: featureKeySchema,
    at: timeSchema.meta({ description: 'When it happened. The same on every attempt.' }),
    value: z.int().min(0).max(1_000_000_000).default(1).meta({ description: 'In whole units.' }),
    key: z.string().min(1).max(200).optional().meta({ description: 'What is counted once, of a `unique` meter.' }),
  })
  .meta({
    id: 'UsageEvent',
    examples: [
      { id: 'req-1', customer: 'cus_4mT0zN8QkB2vWcY6hR1sXd', meter: 'api-calls', at: '2026-01-31T12:00:00Z', value: 3 },
    ],
  });
export type UsageEvent = z.infer<typeof usageEventSchema>;

export const usageReceiptSchema = z
  .object({
    accepted: z.int().meta({ description: 'Counted now.' }),
    duplicates: z.int().meta({ description: 'Counted before, or twice in this batch.' }),
    rejected: z
      .array(
        z.object({
          index: z.int().meta({ description: 'Its place in the batch.' }),
          reason: z.enum(['unknown-customer', 'unknown-meter', 'too-late', 'in-the-future', 'no-key', 'too-many']),
        }),
      )
      .meta({ description: 'Never counted. The first hundred are listed.' }),
    rejectedCount: z.int(),
  })
  .meta({ id: 'UsageReceipt' });
export type UsageReceipt = z.infer<typeof usageReceiptSchema>;

/** One day of a customer and meter in sum, in a shard. */
const dayTotalSchema = z.object({
  count: z.int(),
  sum: z.int(),
  max: z.int(),
  last: z.int(),
  /** When the last one happened, and its id, which decides between two at once. */
  lastAt: z.string(),
  lastId: z.string(),
  /** Hashes of different keys, end to end. Only of a `unique` meter. */
  keys: z.string().optional(),
});
export type DayTotal = z.infer<typeof dayTotalSchema>;

/** `{shard}~{customer}~{meter}~{YYYY-MM}`; days by their number. */
const totalsSchema = z.object({ days: z.record(z.string(), dayTotalSchema) });
export type UsageTotals = z.infer<typeof totalsSchema>;
export const usageTotalsCollection = tenantCollection<UsageTotals>({
  name: 'billingUsageTotals',
  schema: totalsSchema,
  unindexed: ['days'],
});

/** `{shard}~{customer}~{meter}~{YYYY-MM-DD}`: 96 bits of the SHA-256 of every event's id, in base64url, end to end. */
const seenSchema = z.object({ count: z.int(), ids: z.string(), expiresAt: timeSchema });
export type UsageSeen = z.infer<typeof seenSchema>;
export const usageSeenCollection = tenantCollection<UsageSeen>({
  name: 'billingUsageSeen',
  schema: seenSchema,
  unindexed: ['ids'],
  ttl: 'expiresAt',
});

export const usageCorrectionSchema = z
  .strictObject({
    customer: referenceOf('cus'),
    day: z.iso.date().meta({ description: 'Of the tenant’s calendar.', examples: ['2026-01-31'] }),
    value: z.int().min(0).max(1_000_000_000_000).meta({ description: 'What counts for that day from now on.' }),
    reason: lineOf(200).meta({ description: 'For the audit log.', examples: ['Counted twice by us'] }),
  })
  .meta({ id: 'UsageCorrection' });
export type UsageCorrection = z.infer<typeof usageCorrectionSchema>;

export const usageViewSchema = z
  .object({
    quantity: z.int().meta({ description: 'Over all days asked for.' }),
    days: z.array(z.object({ day: z.iso.date(), quantity: z.int(), events: z.int() })),
  })
  .meta({ id: 'Usage' });
export type UsageView = z.infer<typeof usageViewSchema>;
