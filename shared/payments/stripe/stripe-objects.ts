import { stripeActionOf } from '../gateways/stripe.ts';
import type { StripeKindName } from './stripe.events.ts';

/** An object that we keep a record of. */
export interface StripeObject {
  readonly kind: StripeKindName;
  readonly id: string;
}

const kinds: Readonly<Record<string, StripeKindName>> = {
  'refresh-customer': 'customer',
  'refresh-subscription': 'subscription',
  'refresh-payment': 'payment',
  'refresh-dispute': 'payment',
  'refresh-payout': 'payout',
};

/** Of an invoice there are events of its own, and of what belongs to it. */
const invoiceFields: readonly (readonly [prefix: string, field: string])[] = [
  ['invoice.', 'id'],
  ['invoice_payment.', 'invoice'],
  ['credit_note.', 'invoice'],
];

/** Events of payments by which no money has moved. */
const isIdle = (type: string): boolean =>
  type.startsWith('payment_intent.')
    ? type !== 'payment_intent.succeeded'
    : /^charge\.(failed|expired|pending)$/.test(type);

/** Which of the objects that we keep an event is about: webhooks and the list of events are read alike. */
export const stripeObjectOf = (type: string, object: Readonly<Record<string, unknown>>): StripeObject | undefined => {
  const [, field] = invoiceFields.find(([prefix]) => type.startsWith(prefix)) ?? [];
  if (field !== undefined) {
    const id = object[field];
    return typeof id === 'string' ? { kind: 'invoice', id } : undefined;
  }
  const { kind: action, reference } = stripeActionOf(type, object);
  const kind = kinds[action];
  return kind === undefined || reference === undefined || isIdle(type) ? undefined : { kind, id: reference };
};
