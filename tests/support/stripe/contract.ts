import * as z from 'zod';

/**
 * The parameters that Stripe documents for the operations we use, as far as we use them; any other is refused, as Stripe
 * refuses an unknown one. https://docs.stripe.com/api, version 2026-10-28.
 */
const int = z
  .string()
  .regex(/^-?\d{1,15}$/)
  .transform(Number);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const text = z.string().max(5_000);
const id = z.string().min(1).max(255);
const metadata = z.record(z.string().max(40), z.string().max(500));
const expand = z.array(z.string().max(200)).max(20).optional();
const currency = z.string().regex(/^[a-z]{3}$/);
const price = z.strictObject({ price: id, quantity: int.optional() });
const list = { limit: int.optional(), starting_after: id.optional(), ending_before: id.optional(), expand };
const created = z
  .strictObject({ gte: int.optional(), gt: int.optional(), lte: int.optional(), lt: int.optional() })
  .optional();
const url = z.url({ protocol: /^https?$/ }).max(5_000);

const customer = {
  name: text.optional(),
  email: z.string().max(512).optional(),
  description: text.optional(),
  phone: z.string().max(20).optional(),
  metadata: metadata.optional(),
  expand,
  invoice_settings: z.strictObject({ default_payment_method: id.optional() }).optional(),
};

export const parameters = {
  retrieve: z.strictObject({ expand }),
  none: z.strictObject({}),
  createCustomer: z.strictObject({ ...customer, payment_method: id.optional() }),
  updateCustomer: z.strictObject(customer),
  listCustomers: z.strictObject({ ...list, created, email: text.optional() }),
  createIntent: z.strictObject({
    amount: int,
    currency,
    capture_method: z.enum(['automatic', 'automatic_async', 'manual']).optional(),
    customer: id.optional(),
    payment_method: id.optional(),
    payment_method_types: z.array(z.string().max(50)).optional(),
    automatic_payment_methods: z
      .strictObject({ enabled: flag, allow_redirects: z.enum(['always', 'never']).optional() })
      .optional(),
    confirm: flag.optional(),
    off_session: flag.optional(),
    description: z.string().max(1_000).optional(),
    return_url: url.optional(),
    metadata: metadata.optional(),
    expand,
  }),
  confirmIntent: z.strictObject({ payment_method: id.optional(), return_url: url.optional(), expand }),
  captureIntent: z.strictObject({ amount_to_capture: int.optional(), expand }),
  cancelIntent: z.strictObject({
    cancellation_reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer', 'abandoned']).optional(),
    expand,
  }),
  listIntents: z.strictObject({ ...list, created, customer: id.optional() }),
  search: z.strictObject({ query: text, limit: int.optional(), page: text.optional(), expand }),
  createRefund: z.strictObject({
    payment_intent: id,
    amount: int.optional(),
    reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
    metadata: metadata.optional(),
    expand,
  }),
  listOfIntent: z.strictObject({ ...list, created, payment_intent: id.optional() }),
  listPayouts: z.strictObject({ ...list, created, status: text.optional() }),
  createCheckout: z.strictObject({
    mode: z.enum(['payment', 'subscription', 'setup']),
    line_items: z.array(price).min(1).max(100),
    success_url: url,
    cancel_url: url.optional(),
    customer: id.optional(),
    client_reference_id: z.string().max(200).optional(),
    metadata: metadata.optional(),
    allow_promotion_codes: flag.optional(),
    subscription_data: z.strictObject({ trial_period_days: int.optional(), metadata: metadata.optional() }).optional(),
    expand,
  }),
  createPortal: z.strictObject({ customer: id, return_url: url.optional(), expand }),
  createSubscription: z.strictObject({
    customer: id,
    items: z.array(price).min(1).max(20),
    trial_period_days: int.optional(),
    default_payment_method: id.optional(),
    payment_behavior: z.enum(['default_incomplete', 'error_if_incomplete', 'allow_incomplete']).optional(),
    metadata: metadata.optional(),
    expand,
  }),
  updateSubscription: z.strictObject({
    cancel_at_period_end: flag.optional(),
    items: z
      .array(
        z.strictObject({ id: id.optional(), price: id.optional(), quantity: int.optional(), deleted: flag.optional() }),
      )
      .max(20)
      .optional(),
    proration_behavior: z.enum(['create_prorations', 'always_invoice', 'none']).optional(),
    default_payment_method: id.optional(),
    metadata: metadata.optional(),
    expand,
  }),
  cancelSubscription: z.strictObject({ invoice_now: flag.optional(), prorate: flag.optional(), expand }),
  listSubscriptions: z.strictObject({ ...list, created, customer: id.optional(), status: text.optional() }),
  listInvoices: z.strictObject({ ...list, created, customer: id.optional(), subscription: id.optional() }),
  listInvoicePayments: z.strictObject({ ...list, created, invoice: id.optional(), status: text.optional() }),
  listCreditNotes: z.strictObject({ ...list, created, customer: id.optional(), invoice: id.optional() }),
  listEvents: z.strictObject({ ...list, created, type: text.optional(), types: z.array(text).max(20).optional() }),
};

export const limitSchema = z.int().min(1).max(100);
export type Expand = readonly string[] | undefined;
