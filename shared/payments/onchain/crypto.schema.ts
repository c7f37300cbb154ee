import * as z from 'zod';
import { modeSchema } from '../accounts/gateway-account.schema.ts';
import { paymentInputSchema, paymentStatusSchema } from '../payments/payment.schema.ts';
import { rateSchema } from './onchain.schema.ts';

const assetId = z
  .string()
  .regex(/^[A-Za-z0-9]{2,10}-[a-z-]{2,30}$/)
  .meta({ description: 'A token on a chain.', examples: ['USDC-base'] });
const units = z.string().meta({ description: "In the token's smallest unit; it may not fit a number." });
const decimal = z.string().meta({ description: 'In whole tokens, as wallets show it.', examples: ['27.173914'] });
export const transactionSchema = z
  .templateLiteral(['0x', z.string().regex(/^[0-9a-f]{64}$/)])
  .meta({ description: 'Hash of a transaction.', examples: [`0x${'4e'.repeat(32)}`] });

export const assetViewSchema = z
  .object({
    id: assetId,
    chain: z.string(),
    chainId: z.int(),
    token: z.string(),
    contract: z.string(),
    decimals: z.int(),
    currency: z.string().meta({ description: 'What one stands for, ISO 4217.' }),
    mode: modeSchema,
  })
  .meta({ id: 'CryptoAsset' });

export const quoteInputSchema = z
  .strictObject({
    amount: paymentInputSchema.shape.amount,
    currency: paymentInputSchema.shape.currency,
    asset: assetId,
  })
  .meta({ id: 'CryptoQuoteInput', examples: [{ amount: 2_500, currency: 'USD', asset: 'USDC-base' }] });
export const quoteViewSchema = z
  .object({ asset: assetId, amount: z.int(), currency: z.string(), units, decimal, rate: rateSchema })
  .meta({ id: 'CryptoQuote' });

export const cryptoPaymentInputSchema = z
  .strictObject({
    amount: paymentInputSchema.shape.amount,
    currency: paymentInputSchema.shape.currency,
    asset: assetId.optional().meta({ description: "The account's own where absent." }),
    reference: paymentInputSchema.shape.reference,
    customer: paymentInputSchema.shape.customer,
    description: paymentInputSchema.shape.description,
    mode: modeSchema.optional().meta({ description: '`live` where absent; a sandbox has `test` only.' }),
  })
  .meta({
    id: 'CryptoPaymentInput',
    examples: [{ amount: 2_500, currency: 'USD', asset: 'USDC-base', reference: 'order-4711' }],
  });
export type CryptoPaymentInput = z.infer<typeof cryptoPaymentInputSchema>;

const receiptSchema = z.object({
  id: z.string(),
  kind: z.enum(['partial', 'surplus', 'late', 'other-asset']),
  status: z.enum(['held', 'accepted', 'returned']),
  amount: z.int().meta({ description: "What it is worth, in minor units of the payment's currency." }),
  token: z.string(),
  units,
  from: z.string(),
});

export const cryptoPaymentSchema = z
  .object({
    id: z.string().meta({ examples: ['pay_4mT0zN8QkB2vWcY6hR1sXd'] }),
    status: paymentStatusSchema,
    amount: z.int(),
    currency: z.string(),
    mode: modeSchema,
    asset: assetId,
    address: z.string().meta({ examples: ['0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'] }),
    path: z.string().meta({ description: 'Of the address, below the extended public key.', examples: ['0/7'] }),
    units,
    decimal,
    missing: units,
    rate: rateSchema,
    expiresAt: z.iso.datetime().meta({ description: 'Until then the rate holds.' }),
    captured: z.int(),
    transfers: z.array(
      z.object({
        id: z.string(),
        transaction: z.string(),
        block: z.int(),
        from: z.string(),
        token: z.string(),
        units,
        final: z.boolean(),
        confirmations: z.int().nullable().meta({ description: 'Null where the chain was not read yet.' }),
      }),
    ),
    uncounted: z.int().meta({ description: 'Transfers beyond the first hundred: look at the address itself.' }),
    unvalued: z.int().meta({ description: 'Transfers of which no price is known yet.' }),
    receipts: z.array(receiptSchema),
    undecided: z.boolean().meta({ description: 'Somebody has to say what becomes of a receipt.' }),
    refunds: z.array(
      z.object({
        id: z.string(),
        amount: z.int(),
        units,
        decimal,
        transaction: z.string().nullable().meta({ description: 'What paid it; null while it is owed.' }),
      }),
    ),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'CryptoPayment' });
export type CryptoPaymentView = z.infer<typeof cryptoPaymentSchema>;

export const returnInputSchema = z
  .strictObject({
    receipt: z.string().min(1).max(100).meta({ description: 'Which of the payment’s receipts.' }),
    transaction: transactionSchema,
  })
  .meta({ id: 'CryptoReturnInput' });
export const settleInputSchema = z.strictObject({ transaction: transactionSchema }).meta({ id: 'CryptoSettleInput' });

export const addressViewSchema = z
  .object({
    address: z.string(),
    path: z.string(),
    index: z.int(),
    wallet: z.string(),
    payment: z.string(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'CryptoAddress' });

export const addressBalanceSchema = z
  .object({ address: z.string(), items: z.array(z.object({ token: z.string(), units, decimal })).readonly() })
  .meta({ id: 'CryptoAddressBalance' });

export const cryptoBalanceSchema = z
  .object({
    mode: modeSchema,
    currency: z.string(),
    received: z.number().meta({ description: 'What came and was not sent back or posted away, in minor units.' }),
    surplus: z.number().meta({ description: 'Of it, what was sent too much.' }),
    undecided: z.number().meta({ description: 'Of it, what came late, too little, or otherwise.' }),
  })
  .meta({ id: 'CryptoBalance' });
