import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { currencySchema, maxSeats, referenceOf, timeSchema } from './billing.fields.ts';
import { intervalSchema, timeZoneSchema } from './calendar.ts';
import { codeSchema } from './coupon.schema.ts';
import { collectionSchema, draftLineSchema } from './invoice.schema.ts';
import { subscriptionStatusSchema } from './subscription.state.ts';

const quantitySchema = z.int().min(0).max(maxSeats).default(1).meta({ description: 'Seats. Of a meter’s price 1.' });

const wantedItem = z.strictObject({ price: referenceOf('price'), quantity: quantitySchema });
const wantedItems = z
  .array(wantedItem)
  .min(1)
  .max(20)
  .meta({ description: 'Prices of one interval, and such as are charged once.' });
export type WantedItem = z.infer<typeof wantedItem>;

export const newSubscriptionSchema = z
  .strictObject({
    customer: referenceOf('cus'),
    items: wantedItems,
    currency: currencySchema.optional(),
    promotionCode: codeSchema.optional(),
    trialDays: z.int().min(0).max(730).optional().meta({ description: 'In the place of what the prices say.' }),
    collection: collectionSchema.default('manual'),
    anchor: timeSchema
      .optional()
      .meta({ description: 'Where the first period begins, up to 31 days from now. Until then it is a trial.' }),
  })
  .meta({
    id: 'NewSubscription',
    examples: [
      {
        customer: 'cus_4mT0zN8QkB2vWcY6hR1sXd',
        items: [{ price: 'price_4mT0zN8QkB2vWcY6hR1sXd', quantity: 10 }],
      },
    ],
  });
export type NewSubscription = z.infer<typeof newSubscriptionSchema>;

export const itemSchema = z.object({
  id: z.string(),
  price: z.string(),
  product: z.string(),
  quantity: z.int().min(0),
  meter: z.string().nullable(),
});
export type Item = z.infer<typeof itemSchema>;

/** What was charged for a period's usage, so that what comes late can be told from it. */
const billedUsageSchema = z.object({
  item: z.string(),
  price: z.string(),
  meter: z.string(),
  from: z.iso.date(),
  to: z.iso.date(),
  quantity: z.int().min(0),
});
export type BilledUsage = z.infer<typeof billedUsageSchema>;

const scheduledSchema = z.object({ items: z.array(wantedItem).max(20) });

const discountShape = {
  coupon: z.string(),
  code: z.string().nullable(),
  periodsLeft: z.int().min(0).nullable().meta({ description: 'Periods in which it is taken off something.' }),
};
const maxDiscounts = 5;

/** With what is remembered of it for one period. */
const heldDiscountSchema = z.object({
  ...discountShape,
  /** It was taken off something in this period. */
  taken: z.boolean().default(false),
  /** What of its amount went to other things than those that are paid in advance, minor units. */
  elsewhere: z.int().min(0).default(0),
});

const shape = {
  customer: z.string(),
  status: subscriptionStatusSchema,
  currency: currencySchema,
  timeZone: timeZoneSchema,
  interval: intervalSchema,
  anchor: timeSchema.meta({ description: 'Where its first period begins; periods are counted from here.' }),
  period: z.int().min(0).meta({ description: 'Number of the current period.' }),
  periodFrom: timeSchema,
  periodTo: timeSchema,
  items: z.array(itemSchema).max(20),
  discounts: z.array(z.object(discountShape)).max(maxDiscounts),
  pending: z.array(draftLineSchema).max(200).meta({ description: 'What comes onto the next invoice.' }),
  scheduled: scheduledSchema.nullable().meta({ description: 'What it becomes at the end of the period.' }),
  cancelAtPeriodEnd: z.boolean(),
  trialEnd: timeSchema.nullable(),
  pausedAt: timeSchema.nullable(),
  resumesAt: timeSchema.nullable(),
  canceledAt: timeSchema.nullable(),
  endedAt: timeSchema.nullable(),
  collection: collectionSchema,
  problem: z.string().max(300).nullable().meta({ description: 'Why it could not be billed; it is tried again.' }),
  createdAt: timeSchema,
};

export const subscriptionSchema = z.object({
  ...shape,
  discounts: z.array(heldDiscountSchema).max(maxDiscounts),
  /** What the current period is paid for, where that is something else than `items`: they were changed without proration. */
  chargedItems: z.array(itemSchema).max(20).nullable().default(null),
  billedUsage: z.array(billedUsageSchema).max(1_000),
  /** Invoices made so far: the next one's id is derived from it. */
  invoices: z.int().min(0),
  /** How often in a row it could not be billed. */
  failures: z.int().min(0).default(0),
  /** When something is to be done with it. */
  nextActionAt: timeSchema.nullable(),
});
export type Subscription = z.infer<typeof subscriptionSchema>;

/** Named apart from what gateways call so. */
export const billingSubscriptionViewSchema = z.object({ id: z.string(), ...shape }).meta({ id: 'BillingSubscription' });
export type SubscriptionView = z.infer<typeof billingSubscriptionViewSchema>;

export const billingSubscriptionCollection = tenantCollection<Subscription>({
  name: 'billingSubscriptions',
  schema: subscriptionSchema,
  indexes: [
    {
      fields: [
        { field: 'customer', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
    {
      fields: [
        { field: 'status', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
  ],
  unindexed: ['items', 'chargedItems', 'discounts', 'pending', 'scheduled', 'billedUsage', 'interval', 'problem'],
});

export const subscriptionChangeSchema = z
  .strictObject({
    items: wantedItems,
    when: z
      .enum(['now', 'period-end'])
      .default('now')
      .meta({ description: 'At the end of the period nothing is prorated.' }),
    proration: z
      .enum(['next-invoice', 'invoice-now', 'none'])
      .default('next-invoice')
      .meta({ description: 'Where the difference for the rest of the period goes.' }),
  })
  .meta({
    id: 'SubscriptionChange',
    description: 'What it shall consist of from then on. Another interval begins a new period at once.',
    examples: [{ items: [{ price: 'price_4mT0zN8QkB2vWcY6hR1sXd', quantity: 12 }], proration: 'invoice-now' }],
  });
export type SubscriptionChange = z.infer<typeof subscriptionChangeSchema>;

export const cancellationSchema = z
  .strictObject({
    when: z.enum(['now', 'period-end']).default('period-end').meta({ description: 'When it ends.' }),
    refund: z
      .enum(['prorated', 'none'])
      .default('none')
      .meta({ description: 'Of what ends now: whether unused days are credited.' }),
  })
  .meta({ id: 'SubscriptionCancellation', examples: [{ when: 'period-end' }] });
export type Cancellation = z.infer<typeof cancellationSchema>;

export const pauseSchema = z
  .strictObject({
    resumesAt: timeSchema.nullable().default(null).meta({ description: 'When it goes on by itself; null for never.' }),
    refund: z.enum(['prorated', 'none']).default('none').meta({ description: 'Whether unused days are credited.' }),
  })
  .meta({ id: 'SubscriptionPause', examples: [{ resumesAt: null }] });
export type Pause = z.infer<typeof pauseSchema>;
