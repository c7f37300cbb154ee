import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { currencySchema, lineOf, referenceOf, timeSchema, unitAmountSchema } from './billing.fields.ts';

const limitShape = {
  maxRedemptions: z.int().min(1).max(1_000_000).nullable().default(null).meta({ description: 'Null for any number.' }),
  redeemBy: timeSchema.nullable().default(null).meta({ description: 'From then on it is not taken any more.' }),
};

const couponShape = {
  name: lineOf(120).meta({ description: 'As it stands on invoices.', examples: ['Spring'] }),
  discount: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('percent'),
        basisPoints: z.int().min(1).max(10_000).meta({ description: 'Hundredths of a percent: 2,500 is 25 %.' }),
      }),
      z.strictObject({
        kind: z.literal('amount'),
        amounts: z
          .partialRecord(currencySchema, unitAmountSchema.min(1))
          .refine((amounts) => Object.keys(amounts).length > 0, 'Give at least one currency')
          .meta({ description: 'By currency, off the whole invoice.' }),
      }),
    ])
    .meta({ description: 'What is taken off.' }),
  duration: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.enum(['once', 'forever']) }),
      z.strictObject({ kind: z.literal('periods'), count: z.int().min(1).max(120) }),
    ])
    .meta({ description: 'For how many of a subscription’s periods it holds.' }),
  products: z
    .array(referenceOf('prod'))
    .max(50)
    .default([])
    .meta({ description: 'Products that it holds for; none for all.' }),
  ...limitShape,
};

export const newCouponSchema = z.strictObject(couponShape).meta({
  id: 'NewCoupon',
  examples: [
    { name: 'Spring', discount: { kind: 'percent', basisPoints: 2_500 }, duration: { kind: 'periods', count: 3 } },
  ],
});
export type NewCoupon = z.infer<typeof newCouponSchema>;

export const couponSchema = z.object({
  ...couponShape,
  redeemed: z.int().min(0).meta({ description: 'How often it was taken.' }),
  active: z.boolean(),
  createdAt: timeSchema,
});
export type Coupon = z.infer<typeof couponSchema>;

export const couponViewSchema = couponSchema.extend({ id: z.string() }).meta({ id: 'Coupon' });
export type CouponView = z.infer<typeof couponViewSchema>;

export const couponCollection = tenantCollection<Coupon>({
  name: 'billingCoupons',
  schema: couponSchema,
  unindexed: ['discount', 'duration', 'products'],
});

/** Case does not matter: it is stored in upper case. */
export const codeSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{2,39}$/)
  .meta({ description: 'Letters, digits and hyphens; case does not matter.', examples: ['SPRING25'] });

const codeShape = {
  coupon: referenceOf('cpn'),
  code: codeSchema,
  customer: referenceOf('cus').nullable().default(null).meta({ description: 'For this customer alone.' }),
  firstTimeOnly: z.boolean().default(false).meta({ description: 'For who has never had a subscription.' }),
  ...limitShape,
};

export const newPromotionCodeSchema = z.strictObject(codeShape).meta({
  id: 'NewPromotionCode',
  examples: [{ coupon: 'cpn_4mT0zN8QkB2vWcY6hR1sXd', code: 'SPRING25', maxRedemptions: 100 }],
});
export type NewPromotionCode = z.infer<typeof newPromotionCodeSchema>;

export const promotionCodeSchema = z.object({
  ...codeShape,
  redeemed: z.int().min(0),
  active: z.boolean(),
  createdAt: timeSchema,
});
export type PromotionCode = z.infer<typeof promotionCodeSchema>;

export const promotionCodeViewSchema = promotionCodeSchema.extend({ id: z.string() }).meta({ id: 'PromotionCode' });
export type PromotionCodeView = z.infer<typeof promotionCodeViewSchema>;

/** By the code in upper case, so that there is one of each. */
export const promotionCodeCollection = tenantCollection<PromotionCode>({
  name: 'billingPromotionCodes',
  schema: promotionCodeSchema,
});

export const activeChangeSchema = z
  .strictObject({ active: z.boolean().meta({ description: 'False: it is not taken any more.' }) })
  .meta({ id: 'ActiveChange' });
