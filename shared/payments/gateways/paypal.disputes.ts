import * as z from 'zod';
import { isOmniError } from '../../kernel/errors.ts';
import { compare, type Money, zero } from '../../kernel/money.ts';
import type { GatewayDispute } from './gateway.ts';
import { fromPayPal } from './paypal.money.ts';
import type { PayPalRest } from './paypal.rest.ts';

/** What we read of a dispute: https://developer.paypal.com/docs/api/customer-disputes/v1/. */
const amountSchema = z
  .object({ currency_code: z.string(), value: z.string() })
  .transform(({ currency_code: currencyCode, value }, context) => {
    try {
      return fromPayPal({ currencyCode, value });
    } catch {
      context.addIssue('Must be an amount');
      return z.NEVER;
    }
  });
const id = z.string().min(1).max(100);
const summarySchema = z.object({
  dispute_id: id,
  create_time: z.string(),
  status: z.string(),
  reason: z.string().max(100).optional(),
  dispute_amount: amountSchema,
  seller_response_due_date: z.string().optional(),
});
const disputeSchema = summarySchema.extend({
  disputed_transactions: z.array(z.object({ seller_transaction_id: id.optional() })).default([]),
  dispute_outcome: z
    .object({ outcome_code: z.string().optional(), amount_refunded: amountSchema.optional() })
    .default({}),
});
const listSchema = z.object({ items: z.array(summarySchema).default([]) });

export interface PayPalDispute extends GatewayDispute {
  /** Milliseconds since the Unix epoch. */
  readonly openedAt: number;
}

const path = '/v1/customer/disputes';
/** A capture has one dispute after another, if at all. */
const most = 20;
/** The payer has it; `RESOLVED_WITH_PAYOUT` is paid by PayPal. */
const forPayer = new Set(['RESOLVED_BUYER_FAVOUR', 'RESOLVED_BUYER_FAVOR', 'ACCEPTED']);

/**
 * What was taken for good; nothing, where the account keeps its money. Undefined where that is told in another currency:
 * how much it is of the payment's nobody says.
 */
const lossOf = (outcome: z.infer<typeof disputeSchema>['dispute_outcome'], amount: Money): Money | undefined => {
  const { outcome_code: code = '', amount_refunded: refunded } = outcome;
  if (code === 'RESOLVED_WITH_PAYOUT') return zero(amount.currency);
  const taken = refunded ?? (forPayer.has(code) ? amount : zero(amount.currency));
  if (taken.currency !== amount.currency) return undefined;
  return compare(taken, amount) > 0 ? amount : taken;
};

const timeOf = (text: string | undefined): string | undefined =>
  text === undefined || Number.isNaN(Date.parse(text)) ? undefined : new Date(text).toISOString();

const commonOf = (told: z.infer<typeof summarySchema>) => ({
  reference: told.dispute_id,
  amount: told.dispute_amount,
  openedAt: Date.parse(told.create_time),
  reason: told.reason,
  respondBy: timeOf(told.seller_response_due_date),
});

const read = async (rest: PayPalRest, dispute: string) =>
  rest.get(`${path}/${encodeURIComponent(dispute)}`, disputeSchema);

const ended = async (rest: PayPalRest, summary: z.infer<typeof summarySchema>): Promise<PayPalDispute> => {
  const told = await read(rest, summary.dispute_id);
  const common = commonOf(told);
  const lost = lossOf(told.dispute_outcome, told.dispute_amount);
  if (told.status !== 'RESOLVED' || lost === undefined) return { ...common, status: 'open' };
  return lost.amount === 0 ? { ...common, status: 'won' } : { ...common, status: 'lost', lost };
};

/**
 * The disputes of a capture, all there ever were, by one call and one more for each that has ended. None, where the
 * credentials may not see them: an app has to be given that right.
 */
export const disputesOfCapture = async (rest: PayPalRest, capture: string): Promise<readonly PayPalDispute[]> => {
  const query = new URLSearchParams({ disputed_transaction_id: capture, page_size: String(most) });
  try {
    const { items } = await rest.get(`${path}?${query}`, listSchema);
    return await Promise.all(
      items
        .slice(0, most)
        .map((one) => (one.status === 'RESOLVED' ? ended(rest, one) : { ...commonOf(one), status: 'open' as const })),
    );
  } catch (error) {
    if (isOmniError(error, 'forbidden') || isOmniError(error, 'not-found')) return [];
    throw error;
  }
};

/** PayPal's id of the capture that a dispute is about. Fails with `not-found`. */
export const captureOfDispute = async (rest: PayPalRest, dispute: string): Promise<string | undefined> =>
  (await read(rest, dispute)).disputed_transactions[0]?.seller_transaction_id;
