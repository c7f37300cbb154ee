import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { gatewayNameSchema, modeSchema } from '../accounts/gateway-account.schema.ts';

const paymentData = z.object({
  payment: z.string(),
  /** The client's. */
  reference: z.string().nullable(),
  customer: z.string().nullable(),
  gateway: gatewayNameSchema.nullable(),
  mode: modeSchema,
  /** Minor units: what was captured (each part by itself), refunded or disputed; what was asked for where it failed. */
  amount: z.int(),
  currency: z.string(),
  /** Why it failed, where the gateway says so. */
  decline: z.string().nullable(),
  /** Our id of the refund, where it is about one. */
  refund: z.string().optional(),
});
export type PaymentEventData = z.infer<typeof paymentData>;

export const paymentSucceeded = defineEvent('payments.payment.succeeded', paymentData);
/** Failed, expired, or deleted at the gateway before it was paid. */
export const paymentFailed = defineEvent('payments.payment.failed', paymentData);
export const paymentCanceled = defineEvent('payments.payment.canceled', paymentData);
export const paymentRefunded = defineEvent('payments.payment.refunded', paymentData);
export const refundFailed = defineEvent('payments.refund.failed', paymentData);
export const paymentDisputed = defineEvent('payments.payment.disputed', paymentData);
export const disputeWon = defineEvent('payments.dispute.won', paymentData);
export const disputeLost = defineEvent('payments.dispute.lost', paymentData);

/** Money came otherwise than it was asked for, and somebody is to decide what becomes of it. */
export const receiptHeld = defineEvent('payments.receipt.held', paymentData);
export const receiptAccepted = defineEvent('payments.receipt.accepted', paymentData);
export const receiptReturned = defineEvent('payments.receipt.returned', paymentData);

/** One of ours is to be looked at again. */
export const refreshDue = defineEvent('payments.refresh.due', z.object({ payment: z.string() }));

/** A page of an account's payments at its gateway is to be compared with ours. */
export const reconcileDue = defineEvent(
  'payments.reconcile.due',
  z.object({ account: z.string(), since: z.iso.datetime(), round: z.string(), cursor: z.string().optional() }),
);

/** A page of accounts, over all tenants, is due. */
export const reconcileFanOut = defineEvent(
  'payments.reconcile.fan-out',
  z.object({ round: z.string(), since: z.iso.datetime(), cursor: z.string().optional() }),
);
