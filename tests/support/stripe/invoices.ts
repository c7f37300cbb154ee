import { cancelIntent, charge, createIntent, createRefund } from './payments.ts';
import {
  type AccountState,
  base,
  type CreditNote,
  find,
  type Invoice,
  type InvoicePayment,
  invalid,
  type Subscription,
} from './state.ts';

export interface NewLine {
  /** Before discount and tax. */
  readonly amount: number;
  readonly discount?: number;
  /** Of tax that comes on top. */
  readonly percent?: number;
  /** The tax is part of the amount. */
  readonly inclusive?: boolean;
  readonly description?: string;
  readonly quantity?: number;
  readonly price?: string;
  readonly item?: string;
  readonly period?: { readonly start: number; readonly end: number };
}

const list = <T>(data: readonly T[]) => ({ object: 'list', data, has_more: false }) as const;

const put = (state: AccountState, invoice: Invoice, type: string): Invoice => {
  state.invoices.set(invoice.id, invoice);
  state.emit(`invoice.${type}`, invoice);
  return invoice;
};

const lineOf = (state: AccountState, currency: string, given: NewLine) => {
  const { amount, discount = 0, percent = 0, inclusive = false, quantity = 1, price = 'price_once' } = given;
  const taxable = amount - discount;
  const tax = Math.round(inclusive ? taxable - (taxable * 100) / (100 + percent) : (taxable * percent) / 100);
  const behaviour = inclusive ? 'inclusive' : 'exclusive';
  return {
    id: state.newId('il'),
    object: 'line_item',
    amount,
    subtotal: amount,
    currency,
    quantity,
    description: given.description ?? `${quantity} × ${price}`,
    discount_amounts: discount === 0 ? [] : [{ amount: discount, discount: 'di_1' }],
    taxes:
      percent === 0 ? [] : [{ amount: tax, tax_behavior: behaviour, taxable_amount: taxable - (inclusive ? tax : 0) }],
    period: given.period ?? { start: state.now(), end: state.now() },
    pricing: { type: 'price_details', price_details: { price, product: 'prod_1' } },
    parent:
      given.item === undefined
        ? { type: 'invoice_item_details', invoice_item_details: { invoice_item: state.newId('ii') } }
        : { type: 'subscription_item_details', subscription_item_details: { subscription_item: given.item } },
  };
};

/** What an invoice is to be paid by: it is made when the invoice is finalised. */
const addPayment = (state: AccountState, invoice: Invoice, isDefault = true): InvoicePayment => {
  const { customer, currency, amount_remaining: amount } = invoice;
  const intent = createIntent(state, { amount, currency, customer });
  const payment: InvoicePayment = {
    ...base(state, 'inpay', 'invoice_payment'),
    invoice: invoice.id,
    amount_paid: null,
    amount_requested: amount,
    currency,
    is_default: isDefault,
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
    payment: { type: 'payment_intent', payment_intent: intent.id },
  };
  state.invoicePayments.set(payment.id, payment);
  return payment;
};

export interface NewInvoice {
  readonly customer: string;
  readonly lines: readonly NewLine[];
  readonly currency?: string;
  readonly subscription?: Subscription;
  readonly reason?: string;
  readonly draft?: boolean;
}

/** A customer's credit settles what it can; what is owed to the customer becomes credit. */
const applyBalance = (state: AccountState, invoice: Invoice): Invoice => {
  const customer = state.customers.get(invoice.customer);
  const starting_balance = customer?.balance ?? 0;
  const due = Math.max(0, invoice.total + starting_balance);
  const ending_balance = starting_balance + invoice.total - due;
  if (customer !== undefined && ending_balance !== starting_balance) {
    const changed = { ...customer, balance: ending_balance };
    state.customers.set(changed.id, changed);
    state.emit('customer.updated', changed);
  }
  return { ...invoice, starting_balance, ending_balance, amount_due: due, amount_remaining: due };
};

export const finaliseInvoice = (state: AccountState, id: string): Invoice => {
  const draft = find(state.invoices, id);
  if (draft.status !== 'draft') throw invalid('This invoice is already finalized.');
  const transitions = { ...draft.status_transitions, finalized_at: state.now() };
  const open = { ...applyBalance(state, draft), status: 'open', status_transitions: transitions };
  state.invoices.set(id, open);
  if (open.amount_due > 0) addPayment(state, open);
  return put(state, open, 'finalized');
};

export const makeInvoice = (state: AccountState, given: NewInvoice): Invoice => {
  const { customer, subscription, currency = subscription?.currency ?? 'eur', reason = 'manual' } = given;
  const lines = given.lines.map((line) => lineOf(state, currency, line));
  const taxes = lines.flatMap((line) => line.taxes);
  const exclusive = taxes.filter((tax) => tax.tax_behavior === 'exclusive');
  const total =
    lines.reduce(
      (sum, line) => sum + line.amount - line.discount_amounts.reduce((all, one) => all + one.amount, 0),
      0,
    ) + exclusive.reduce((sum, tax) => sum + tax.amount, 0);
  const made = base(state, 'in', 'invoice');
  const draft: Invoice = {
    ...made,
    metadata: {},
    customer,
    status: 'draft',
    number: `OMNI-${String(state.invoices.size + 1).padStart(4, '0')}`,
    currency,
    amount_due: total,
    amount_paid: 0,
    amount_remaining: total,
    total,
    total_taxes: taxes,
    starting_balance: 0,
    ending_balance: null,
    pre_payment_credit_notes_amount: 0,
    post_payment_credit_notes_amount: 0,
    billing_reason: reason,
    hosted_invoice_url: `https://invoice.stripe.com/i/${made.id}`,
    period_start: made.created,
    period_end: made.created,
    parent:
      subscription === undefined
        ? null
        : {
            type: 'subscription_details',
            subscription_details: { subscription: subscription.id, metadata: subscription.metadata ?? {} },
          },
    lines: list(lines),
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
  };
  state.invoices.set(draft.id, draft);
  if (given.draft === true) return put(state, draft, 'created');
  return finaliseInvoice(state, draft.id);
};

const openPaymentOf = (state: AccountState, id: string): InvoicePayment | undefined =>
  [...state.invoicePayments.values()].find(({ invoice, status }) => invoice === id && status === 'open');

/** What was open of it is not to be paid any more. */
const cancelPayments = (state: AccountState, id: string): void => {
  const open = openPaymentOf(state, id);
  if (open === undefined) return;
  const transitions = { ...open.status_transitions, canceled_at: state.now() };
  state.invoicePayments.set(open.id, { ...open, status: 'canceled', status_transitions: transitions });
  if (open.payment.payment_intent !== undefined) cancelIntent(state, open.payment.payment_intent, 'void_invoice');
};

const settle = (state: AccountState, invoice: Invoice): Invoice => {
  const { status_transitions: transitions } = invoice;
  const paid = { ...invoice, status: 'paid', status_transitions: { ...transitions, paid_at: state.now() } };
  return put(state, paid, 'paid');
};

/** Outside of Stripe. */
export const payInvoice = (state: AccountState, id: string): Invoice => {
  const invoice = find(state.invoices, id);
  cancelPayments(state, id);
  return settle(state, { ...invoice, amount_paid: invoice.amount_due, amount_remaining: 0 });
};

/** A part, or all that remains, by a card. The card's refusal is thrown. */
export const chargeInvoice = (state: AccountState, id: string, payment_method: string, part?: number): Invoice => {
  const invoice = find(state.invoices, id);
  if (part !== undefined && part < invoice.amount_remaining) cancelPayments(state, id);
  const amount = part ?? invoice.amount_remaining;
  if (amount === 0) return settle(state, invoice);
  const open = openPaymentOf(state, id) ?? addPayment(state, { ...invoice, amount_remaining: amount }, false);
  charge(state, { ...find(state.intents, open.payment.payment_intent ?? ''), payment_method });
  const transitions = { ...open.status_transitions, paid_at: state.now() };
  const payment = { ...open, status: 'paid', amount_paid: amount, status_transitions: transitions };
  state.invoicePayments.set(open.id, payment);
  state.emit('invoice_payment.paid', payment);
  const amount_remaining = invoice.amount_remaining - amount;
  const changed = { ...invoice, amount_paid: invoice.amount_paid + amount, amount_remaining };
  return amount_remaining === 0 ? settle(state, changed) : put(state, changed, 'updated');
};

export const voidInvoice = (state: AccountState, id: string): Invoice => {
  const invoice = find(state.invoices, id);
  if (!['open', 'uncollectible'].includes(invoice.status)) throw invalid('You can only void open invoices.');
  cancelPayments(state, id);
  const customer = state.customers.get(invoice.customer);
  const applied = (invoice.ending_balance ?? 0) - invoice.starting_balance;
  if (customer !== undefined && applied !== 0) {
    state.customers.set(customer.id, { ...customer, balance: customer.balance - applied });
    state.emit('customer.updated', find(state.customers, customer.id));
  }
  const transitions = { ...invoice.status_transitions, voided_at: state.now() };
  return put(state, { ...invoice, status: 'void', status_transitions: transitions }, 'voided');
};

export const giveUpInvoice = (state: AccountState, id: string): Invoice => {
  const invoice = find(state.invoices, id);
  if (invoice.status !== 'open') throw invalid('You can only mark open invoices as uncollectible.');
  const transitions = { ...invoice.status_transitions, marked_uncollectible_at: state.now() };
  return put(state, { ...invoice, status: 'uncollectible', status_transitions: transitions }, 'marked_uncollectible');
};

export interface NewCreditNote {
  readonly amount: number;
  /** Tax that is part of the amount. */
  readonly tax?: number;
  /** Where goes what was paid already. */
  readonly to?: 'refund' | 'balance' | 'outside';
}

/** First what remains to be paid is less, then what was paid is given back. */
export const issueCreditNote = (state: AccountState, id: string, given: NewCreditNote): CreditNote => {
  const { amount, tax = 0, to = 'refund' } = given;
  const invoice = find(state.invoices, id);
  const before = Math.min(invoice.amount_remaining, amount);
  const after = amount - before;
  const intent = [...state.invoicePayments.values()].find((one) => one.invoice === id && one.status === 'paid')?.payment
    .payment_intent;
  const refunds =
    after > 0 && to === 'refund' && intent !== undefined
      ? [createRefund(state, { payment_intent: intent, amount: after })]
      : [];
  const customer = find(state.customers, invoice.customer);
  if (after > 0 && to === 'balance') {
    state.customers.set(customer.id, { ...customer, balance: customer.balance - after });
    state.emit('customer.updated', find(state.customers, customer.id));
  }
  const note: CreditNote = {
    ...base(state, 'cn', 'credit_note'),
    amount,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_balance_transaction: after > 0 && to === 'balance' ? state.newId('cbtxn') : null,
    invoice: id,
    out_of_band_amount: after > 0 && to === 'outside' ? after : null,
    post_payment_amount: after,
    pre_payment_amount: before,
    refunds: refunds.map((refund) => ({ amount_refunded: refund.amount, refund: refund.id, type: 'refund' })),
    status: 'issued',
    total_taxes: tax === 0 ? [] : [{ amount: tax, tax_behavior: 'exclusive' }],
    voided_at: null,
  };
  state.creditNotes.set(note.id, note);
  state.emit('credit_note.created', note);
  const changed = {
    ...invoice,
    amount_due: invoice.amount_due - before,
    amount_remaining: invoice.amount_remaining - before,
    pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount + before,
    post_payment_credit_notes_amount: invoice.post_payment_credit_notes_amount + after,
  };
  if (before > 0 && changed.amount_remaining === 0) {
    cancelPayments(state, id);
    settle(state, changed);
  } else put(state, changed, 'updated');
  return note;
};

export const voidCreditNote = (state: AccountState, id: string): CreditNote => {
  const note = find(state.creditNotes, id);
  const invoice = find(state.invoices, note.invoice);
  if (note.status === 'void' || invoice.status !== 'open') throw invalid('This credit note can not be voided.');
  const voided = { ...note, status: 'void', voided_at: state.now() };
  state.creditNotes.set(id, voided);
  state.emit('credit_note.voided', voided);
  put(
    state,
    {
      ...invoice,
      amount_due: invoice.amount_due + note.pre_payment_amount,
      amount_remaining: invoice.amount_remaining + note.pre_payment_amount,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount - note.pre_payment_amount,
    },
    'updated',
  );
  return voided;
};
