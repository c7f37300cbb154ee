import * as z from 'zod';
import { isCurrency } from '../../kernel/currencies.ts';
import { platformCollection, tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';
import type { Filter } from '../../store/store.ts';
import { gatewayNameSchema, modeSchema } from '../accounts/gateway-account.schema.ts';

/** Units of 10^12 and more are no payment but a mistake. */
const maxAmount = 999_999_999_999;
export const maxRefunds = 100;

const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Must have no control characters');

export const paymentStatusSchema = z
  .enum(['created', 'requires-action', 'pending', 'authorised', 'captured', 'canceled', 'failed', 'expired'])
  .meta({
    description:
      '`created`: the gateway was or is being asked, and what it did is not known yet. `requires-action`: the payer has ' +
      'something to do, see `nextAction`. `authorised`: held, to be captured. `captured`, `canceled`, `failed` and ' +
      '`expired` are final.',
  });
export type PaymentState = z.infer<typeof paymentStatusSchema>;

const amountSchema = z.int().min(1).max(maxAmount).meta({ description: 'Minor units.' });
const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/)
  .refine(isCurrency, 'Must be a currency of ISO 4217')
  .meta({ description: 'ISO 4217.', examples: ['EUR'] });
const ownText = text(128).meta({ description: 'Your own reference, kept as it is.' });

export const sourceSchema = z.strictObject({
  gateway: gatewayNameSchema,
  customer: text(200).optional().meta({ description: "The gateway's id of the payer." }),
  paymentMethod: text(200).optional().meta({ description: "The gateway's id of a means of payment." }),
});

export const paymentInputSchema = z
  .strictObject({
    amount: amountSchema,
    currency: currencySchema,
    reference: ownText.optional().meta({ description: 'Yours: one payment for each. Again, it finds that payment.' }),
    capture: z.enum(['automatic', 'manual']).default('automatic'),
    customer: ownText.optional(),
    description: text(200).optional().meta({ description: "For the payer's statement; nothing personal." }),
    offSession: z.boolean().default(false).meta({ description: 'The payer is not there, as for a renewal.' }),
    returnUrl: z
      .url({ protocol: /^https?$/ })
      .max(2_000)
      .optional()
      .meta({ description: "Where the payer's browser comes back to." }),
    country: z
      .string()
      .regex(/^[A-Z]{2}$/)
      .optional()
      .meta({ description: "The payer's, ISO 3166-1 alpha-2." }),
    sources: z
      .array(sourceSchema)
      .max(4)
      .default([])
      .meta({ description: 'Means of payment that gateways keep. Where there are any, only their gateways are used.' }),
    mode: modeSchema.optional().meta({ description: '`live` where absent; a sandbox has `test` only.' }),
  })
  .refine(({ sources }) => new Set(sources.map(({ gateway }) => gateway)).size === sources.length, {
    path: ['sources'],
    message: 'Must have one for each gateway',
  })
  .refine(({ offSession, sources }) => !offSession || sources.length > 0, {
    path: ['sources'],
    message: 'Must have one where the payer is not there',
  })
  .meta({
    id: 'PaymentInput',
    examples: [
      {
        amount: 2_500,
        currency: 'EUR',
        reference: 'order-4711',
        sources: [{ gateway: 'acmepay', paymentMethod: 'pm_card_ok' }],
        mode: 'test',
      },
    ],
  });
export type PaymentInput = z.infer<typeof paymentInputSchema>;

const moneySchema = z.object({ amount: z.int(), currency: z.string() });

export const nextActionSchema = z.union([
  z.object({ kind: z.literal('redirect'), url: z.string() }),
  z.object({ kind: z.literal('client-secret'), clientSecret: z.string() }),
  z.object({
    kind: z.literal('transfer'),
    address: z.string(),
    network: z.string(),
    asset: z.string(),
    units: z.string(),
    expiresAt: z.string(),
  }),
]);

const declineSchema = z.enum([
  'card-declined',
  'insufficient-funds',
  'expired-card',
  'authentication-required',
  'authentication-failed',
  'suspected-fraud',
  'limit-exceeded',
  'invalid-payment-method',
  'expired',
  'processing-error',
]);

const refundReason = z.enum(['duplicate', 'fraudulent', 'requested-by-customer']);

const refundSchema = z.object({
  id: z.string(),
  amount: z.int(),
  currency: z.string(),
  reason: refundReason.nullable(),
  /** `created`: the gateway was or is being asked. */
  status: z.enum(['created', 'pending', 'succeeded', 'failed']),
  /** The gateway's id. */
  gatewayReference: z.string().nullable(),
  detail: z
    .enum(['refused', 'outcome-unknown'])
    .nullable()
    .default(null)
    .meta({
      description:
        '`refused`: the gateway did not make it. `outcome-unknown`: it can not be found out whether the gateway made it, ' +
        'so it is not asked again; look there.',
    }),
  createdAt: z.iso.datetime(),
  /** When somebody last began to ask the gateway. */
  askedAt: z.iso.datetime().nullable().default(null),
});
export type Refund = z.infer<typeof refundSchema>;

const disputeSchema = z.object({
  /** The gateway's id. */
  reference: z.string(),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['open', 'won', 'lost']),
  lost: z.int().meta({ description: 'What was taken in the end, in minor units.' }),
  reason: z.string().nullable().meta({ description: "The gateway's own code." }),
  respondBy: z.string().nullable().meta({ description: 'Until when an answer is wanted, ISO 8601.' }),
});
export type PaymentDispute = z.infer<typeof disputeSchema>;

const routeSchema = z.object({
  rule: z.string().nullable(),
  because: z.string(),
  candidates: z.array(
    z.object({
      account: z.string(),
      gateway: gatewayNameSchema,
      eligible: z.boolean(),
      reasons: z.array(z.string()).readonly(),
      cost: z.int(),
    }),
  ),
});

const attemptSchema = z.object({
  account: z.string(),
  gateway: gatewayNameSchema,
  /** The idempotency key of its every call. */
  key: z.string(),
  /** Calls begun whose outcome is not known. */
  calls: z.int(),
  /** Until then one worker is at it. */
  leaseUntil: z.iso.datetime().nullable(),
  outcome: z.enum(['open', 'made', 'refused']),
  refusal: z.string().nullable(),
  startedAt: z.iso.datetime(),
});
export type Attempt = z.infer<typeof attemptSchema>;

const factSchema = z.object({
  /** Natural: `captured:1000`, `refund:re_1:made`. What it stands for was booked and told once. */
  key: z.string(),
  amount: z.int().nullable(),
  at: z.iso.datetime(),
});
export type Fact = z.infer<typeof factSchema>;

const paymentShape = {
  reference: z.string().nullable(),
  status: paymentStatusSchema,
  amount: z.int(),
  currency: z.string(),
  capture: z.enum(['automatic', 'manual']),
  customer: z.string().nullable(),
  description: z.string().nullable(),
  mode: modeSchema,
  /** The account that it is at; null where none could take it. */
  gateway: gatewayNameSchema.nullable(),
  account: z.string().nullable(),
  gatewayReference: z.string().nullable(),
  routing: routeSchema,
  captured: z.int(),
  refunded: z.int().meta({ description: 'Of refunds that did not fail.' }),
  disputed: z.int().meta({ description: 'Of disputes that were not won.' }),
  held: z.int().default(0).meta({ description: 'What came otherwise than asked, and waits for a decision.' }),
  fee: moneySchema.nullable(),
  nextAction: nextActionSchema.nullable(),
  decline: declineSchema.nullable(),
  deleted: z.boolean().meta({ description: 'The gateway has it no more.' }),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};

const paymentSchema = z.object({
  ...paymentShape,
  /** It may hold what lets somebody else go on with the payment: Stripe's client secret. */
  nextAction: encrypted(paymentShape.nextAction),
  offSession: z.boolean(),
  returnUrl: z.string().nullable(),
  sources: z.array(sourceSchema),
  /** Of what was asked, to tell a repetition from another payment with the same reference. */
  hash: z.string(),
  attempts: z.array(attemptSchema),
  captureRequested: z.int().nullable(),
  /** When the gateway was first asked for it. */
  captureRequestedAt: z.iso.datetime().nullable().default(null),
  refunds: z.array(refundSchema),
  disputes: z.array(disputeSchema).default([]),
  facts: z.array(factSchema),
  /** When the gateway was asked for the state that this is. */
  syncedAt: z.iso.datetime().nullable(),
});
export type Payment = z.infer<typeof paymentSchema>;

const asc = (field: string) => ({ field, order: 'asc' }) as const;
const newest = { field: 'createdAt', order: 'desc' } as const;

export const paymentCollection = tenantCollection<Payment>({
  name: 'payments',
  schema: paymentSchema,
  unindexed: [
    'routing',
    'sources',
    'attempts',
    'refunds',
    'disputes',
    'facts',
    'nextAction',
    'description',
    'returnUrl',
    'hash',
  ],
  indexes: [
    { fields: [asc('status'), newest] },
    { fields: [asc('customer'), newest] },
    { fields: [asc('mode'), newest] },
    { fields: [asc('gateway'), newest] },
  ],
});

/** Payments at an account that are not final. */
export const openAt = (account: string): readonly Filter[] => [
  { field: 'account', op: '==', value: account },
  { field: 'status', op: 'in', value: ['created', 'requires-action', 'pending', 'authorised'] },
];

/** Watches of payments at an account: of such as are not final, or of which something is still paid back. */
export const watchedAt = (tenant: string, account: string): readonly Filter[] => [
  { field: 'tenant', op: '==', value: tenant },
  { field: 'account', op: '==', value: account },
];

const watchSchema = z.object({
  tenant: z.string(),
  payment: z.string(),
  /** Of the payment, once it has one. Absent in what an earlier release wrote. */
  account: z.string().optional(),
  /** When it is to be looked after. */
  dueAt: z.iso.datetime(),
  /** Since when nothing has changed. Absent in what an earlier release wrote. */
  since: z.iso.datetime().optional(),
  /** How often it was looked at, or told to be. */
  rounds: z.number(),
});
export type PaymentWatch = z.infer<typeof watchSchema>;

/** Payments and refunds that are not final, over all tenants, until they are: nothing is forgotten in between. */
export const paymentWatchCollection = platformCollection<PaymentWatch>({
  name: 'paymentWatches',
  schema: watchSchema,
});

const parkedSchema = z.object({
  gateway: gatewayNameSchema,
  account: z.string(),
  gatewayReference: z.string(),
  parkedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type ParkedPayment = z.infer<typeof parkedSchema>;

/** What a gateway told of that is no payment of ours. */
export const parkedPaymentCollection = tenantCollection<ParkedPayment>({
  name: 'parkedPayments',
  schema: parkedSchema,
  ttl: 'expiresAt',
});

/** As clients see it. */
export const paymentViewSchema = z
  .object({ id: z.string().meta({ examples: ['pay_4mT0zN8QkB2vWcY6hR1sXd'] }), ...paymentShape })
  .meta({ id: 'Payment' });
export type PaymentView = z.infer<typeof paymentViewSchema>;

export const routeViewSchema = routeSchema.meta({ id: 'PaymentRoute' });
export const refundViewSchema = refundSchema.omit({ askedAt: true }).meta({ id: 'Refund' });
export const factViewSchema = factSchema.meta({ id: 'PaymentFact' });
export const parkedViewSchema = parkedSchema.extend({ id: z.string() }).meta({ id: 'ParkedPayment' });
export type ParkedPaymentView = z.infer<typeof parkedViewSchema>;

export const captureInputSchema = z.strictObject({
  amount: amountSchema.optional().meta({ description: 'Minor units; all of it where absent. The rest is let go.' }),
});
export const refundInputSchema = z
  .strictObject({
    amount: amountSchema.optional().meta({ description: 'Minor units; all that is left where absent.' }),
    reason: refundReason.optional(),
    reference: ownText.optional().meta({ description: 'Yours: one refund of the payment for each.' }),
  })
  .meta({ id: 'RefundInput', examples: [{ amount: 1_000, reason: 'requested-by-customer' }] });
export type RefundInput = z.infer<typeof refundInputSchema>;
