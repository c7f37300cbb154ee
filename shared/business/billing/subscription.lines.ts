import { isoTime } from '../../kernel/clock.ts';
import { type Money, money, subtract } from '../../kernel/money.ts';
import { badField } from './billing.fields.ts';
import { localDay, shiftDay, startOfDay } from './calendar.ts';
import type { Offer } from './catalogue.service.ts';
import type { DraftLine } from './invoice.schema.ts';
import { type Discount, type Discountable, discountsOf } from './invoice.totals.ts';
import { type Priced, priceOf } from './price.amount.ts';
import type { Scheme } from './price.schema.ts';
import { type Held, prorate, type Span, seatsOf } from './proration.ts';
import type { BilledUsage, Item, Subscription } from './subscription.schema.ts';
import { type UsageQuestion, usageKey } from './usage.ts';

export type Offers = ReadonlyMap<string, Offer>;

export const offerOf = (offers: Offers, price: string): Offer => {
  const offer = offers.get(price);
  if (offer === undefined) throw new Error(`The price ${price} is not there.`);
  return offer;
};

/** Fails with `invalid-request` where the price is not sold in that currency. */
export const schemeOf = ({ price }: Offer, currency: string): Scheme => {
  const scheme = new Map(Object.entries(price.value.amounts)).get(currency);
  if (scheme === undefined) throw badField('body.items', `The price ${price.id} has no amount in ${currency}`);
  return scheme;
};

const unitOf = (scheme: Scheme): 'seat' | undefined => (scheme.model === 'flat' ? undefined : 'seat');

/** What every line of an offer says of it. */
const ofOffer = ({ price, product }: Offer) => ({
  price: price.id,
  product: product.id,
  taxBehaviour: price.value.taxBehaviour,
  taxCategory: product.value.taxCategory,
});

const periodOf = ({ from, to }: Span): DraftLine['period'] => ({ from: isoTime(from), to: isoTime(to) });

const isTiered = ({ model }: Scheme): boolean => model !== 'flat' && model !== 'per-unit';

/** The parts where they say more than the line itself. */
const partsOf = (scheme: Scheme, { parts }: Priced): DraftLine['parts'] =>
  isTiered(scheme) || parts.length > 1 ? [...parts] : [];

/** `2026-01-01 to 2026-01-31`: both days are in it. */
const daysOf = ({ from, to }: Span, timeZone: string): string => {
  const first = localDay(from, timeZone);
  const last = shiftDay(localDay(to, timeZone), -1);
  return last <= first ? first : `${first} to ${last}`;
};

export interface LineInput {
  readonly offers: Offers;
  readonly currency: string;
  readonly timeZone: string;
}

/** What is charged in advance for a period. */
export const recurringLines = (items: readonly Item[], span: Span, input: LineInput): readonly DraftLine[] =>
  items
    .filter(({ meter }) => meter === null)
    .map((item) => {
      const offer = offerOf(input.offers, item.price);
      const scheme = schemeOf(offer, input.currency);
      const priced = priceOf(scheme, item.quantity, input.currency);
      const seats = seatsOf({ unit: unitOf(scheme), quantity: item.quantity });
      return {
        ...ofOffer(offer),
        kind: 'recurring',
        description: `${offer.product.value.name}${seats}, ${daysOf(span, input.timeZone)}`,
        item: item.id,
        quantity: item.quantity,
        amount: priced.amount.amount,
        discountable: true,
        period: periodOf(span),
        parts: partsOf(scheme, priced),
      };
    });

/** What is charged once. */
export const oneTimeLines = (
  wanted: readonly { readonly price: string; readonly quantity: number }[],
  { offers, currency }: LineInput,
): readonly DraftLine[] =>
  wanted.map(({ price, quantity }) => {
    const offer = offerOf(offers, price);
    const scheme = schemeOf(offer, currency);
    const priced = priceOf(scheme, quantity, currency);
    return {
      ...ofOffer(offer),
      kind: 'one-time',
      description: offer.price.value.name ?? offer.product.value.name,
      item: null,
      quantity,
      amount: priced.amount.amount,
      discountable: true,
      period: null,
      parts: partsOf(scheme, priced),
    };
  });

/** The part of the current period whose usage is there to be billed: up to its end, or today where it is cut short. */
export const usageSpan = ({ periodFrom, periodTo, timeZone }: Subscription, now: number): Span => {
  const [from, to] = [Date.parse(periodFrom), Date.parse(periodTo)];
  return { from, to: now >= to ? to : Math.min(to, startOfDay(shiftDay(localDay(now, timeZone), 1), timeZone)) };
};

/**
 * What must be known of usage to bill some days: that of the days themselves, and again that which was billed lately.
 */
export const usageQuestions = (subscription: Subscription, spans: readonly Span[]): readonly UsageQuestion[] => {
  const { customer, items, billedUsage, timeZone } = subscription;
  const meters = items.flatMap(({ meter }) => meter ?? []);
  return [
    ...spans.flatMap(({ from, to }) => {
      const days = { from: localDay(from, timeZone), to: localDay(to, timeZone) };
      return meters.map((meter) => ({ customer, meter, ...days }));
    }),
    ...billedUsage.map(({ meter, from, to }) => ({ customer, meter, from, to })),
  ];
};

export type Quantities = ReadonlyMap<string, number>;

const quantityOf = (quantities: Quantities, question: UsageQuestion): number => {
  const quantity = quantities.get(usageKey(question));
  if (quantity === undefined) throw new Error('Usage was not asked for before it was billed.');
  return quantity;
};

/** Days after its end for which a period's usage is still looked at. Usage that comes later than it counts is refused. */
export const correctableDays = 45;

/**
 * A period's usage in arrears, unless it was billed already, corrections of what was billed before, and what is to be
 * remembered of both.
 */
export const usageLines = (
  subscription: Subscription,
  span: Span,
  quantities: Quantities,
  input: LineInput,
  { onlyUsed = false }: { readonly onlyUsed?: boolean } = {},
): { readonly lines: readonly DraftLine[]; readonly billedUsage: BilledUsage[] } => {
  const { customer, items, billedUsage, timeZone } = subscription;
  const { offers, currency } = input;
  const days = { from: localDay(span.from, timeZone), to: localDay(span.to, timeZone) };
  const billed: BilledUsage[] = [];
  const lines: DraftLine[] = [];
  for (const before of billedUsage) {
    const quantity = quantityOf(quantities, { customer, meter: before.meter, from: before.from, to: before.to });
    const line = correctionLine(before, quantity, input);
    if (line !== undefined) lines.push(line);
    if (shiftDay(before.to, correctableDays) > days.to) billed.push({ ...before, quantity });
  }
  for (const item of items) {
    const isBilled = billedUsage.some((one) => one.item === item.id && one.from === days.from);
    if (item.meter === null || isBilled) continue;
    const offer = offerOf(offers, item.price);
    const quantity = quantityOf(quantities, { customer, meter: item.meter, ...days });
    if (onlyUsed && quantity === 0) continue;
    const scheme = schemeOf(offer, currency);
    const priced = priceOf(scheme, quantity, currency);
    billed.push({ item: item.id, price: item.price, meter: item.meter, ...days, quantity });
    lines.push({
      ...ofOffer(offer),
      kind: 'usage',
      description: `${offer.product.value.name}: ${quantity} of ${item.meter}, ${daysOf(span, timeZone)}`,
      item: item.id,
      quantity,
      amount: priced.amount.amount,
      discountable: true,
      period: periodOf(span),
      parts: partsOf(scheme, priced),
    });
  }
  return { lines, billedUsage: billed };
};

const correctionLine = (before: BilledUsage, quantity: number, input: LineInput): DraftLine | undefined => {
  if (quantity === before.quantity) return undefined;
  const offer = offerOf(input.offers, before.price);
  const scheme = schemeOf(offer, input.currency);
  const amountOf = (units: number): Money => priceOf(scheme, units, input.currency).amount;
  const name = offer.product.value.name;
  const until = shiftDay(before.to, -1);
  return {
    ...ofOffer(offer),
    kind: 'usage-correction',
    description: `${name}, ${before.from} to ${until}: ${quantity} of ${before.meter}, billed as ${before.quantity}`,
    item: before.item,
    quantity: quantity - before.quantity,
    amount: subtract(amountOf(quantity), amountOf(before.quantity)).amount,
    discountable: true,
    period: null,
    parts: [],
  };
};

const inAdvance = (items: readonly Item[]): readonly Item[] => items.filter(({ meter }) => meter === null);

/** What a whole period of what is held in advance costs before discounts. */
export const heldCharges = (items: readonly Item[], { offers, currency }: LineInput): readonly Discountable[] =>
  inAdvance(items).map(({ price, product, quantity }) => ({
    product,
    amount: priceOf(schemeOf(offerOf(offers, price), currency), quantity, currency).amount,
    discountable: true,
  }));

/** What is held in advance, each at what a whole period of it costs after discounts. */
const heldOf = (items: readonly Item[], discounts: readonly Discount[], input: LineInput): Held[] => {
  const { offers, currency } = input;
  const charges = heldCharges(items, input);
  const off = discountsOf(charges, discounts, currency);
  return inAdvance(items).map(({ price, quantity }, i) => {
    const offer = offerOf(offers, price);
    return {
      price,
      name: offer.product.value.name,
      quantity,
      unit: unitOf(schemeOf(offer, currency)),
      amount: subtract(charges[i]?.amount ?? money(0, currency), off[i] ?? money(0, currency)),
    };
  });
};

/** What the current period is paid for: whatever is given back is of that. */
export const chargedOf = ({ chargedItems, items }: Subscription): readonly Item[] => chargedItems ?? items;

/** What a change in the middle of the current period costs, discounts of the period included. */
export const prorationLines = (
  subscription: Subscription,
  after: readonly Item[],
  at: number,
  discounts: readonly Discount[],
  input: LineInput,
): readonly DraftLine[] => {
  const period = { from: Date.parse(subscription.periodFrom), to: Date.parse(subscription.periodTo) };
  const [old, next] = [chargedOf(subscription), after].map((items) => heldOf(items, discounts, input));
  return prorate(old ?? [], next ?? [], { period, at, timeZone: subscription.timeZone }).map((line) => ({
    ...ofOffer(offerOf(input.offers, line.price)),
    kind: line.kind,
    description: line.description,
    item: null,
    quantity: line.quantity,
    amount: line.amount.amount,
    discountable: false,
    period: periodOf(line.span),
    parts: [],
  }));
};
