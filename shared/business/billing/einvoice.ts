import { money, toDecimal } from '../../kernel/money.ts';
import type { Buyer, Invoice } from './invoice.schema.ts';
import type { Address } from './settings.schema.ts';
import type { TaxGroup } from './tax.schema.ts';

export interface EParty {
  readonly name: string;
  readonly vatId: string | undefined;
  readonly registration: string | undefined;
  readonly email: string | undefined;
  readonly address: Address | null;
  readonly country: string;
}

export interface ELine {
  readonly id: string;
  readonly name: string;
  /** Negative for what is given back: a price must not be (BR-27). */
  readonly quantity: number;
  /** Minor units. */
  readonly price: number;
  readonly net: number;
  readonly category: TaxGroup['category'];
  readonly rate: number;
  readonly period: { readonly from: string; readonly to: string } | null;
}

/** What EN 16931 calls an invoice, in minor units. The numbers in comments are its business terms. */
export interface EInvoice {
  readonly number: string;
  /** BT-3, UNTDID 1001. */
  readonly type: '380' | '381';
  readonly issued: string;
  readonly due: string | undefined;
  readonly currency: string;
  readonly note: string | undefined;
  /** BT-25: the number of the invoice that a credit note is about. */
  readonly preceding: string | undefined;
  readonly seller: EParty;
  readonly buyer: EParty;
  readonly iban: string | undefined;
  readonly lines: readonly ELine[];
  readonly groups: readonly Pick<TaxGroup, 'category' | 'rate' | 'reason' | 'taxable' | 'tax'>[];
  /** BT-106, 109, 110, 112, 113 and 115. */
  readonly lineTotal: number;
  readonly taxable: number;
  readonly tax: number;
  readonly total: number;
  readonly prepaid: number;
  readonly payable: number;
}

const party = (
  { name, address, country, email }: Pick<Buyer, 'name' | 'address' | 'country' | 'email'>,
  vatId: string | null | undefined,
  registration?: string,
): EParty => ({ name, address, country, email: email ?? undefined, vatId: vatId ?? undefined, registration });

/** A price for one where the amount divides; else the whole amount for one. */
const priced = (net: number, quantity: number) => {
  const sign = net < 0 ? -1 : 1;
  const count = Math.abs(quantity);
  const divides = count > 0 && Math.abs(net) % count === 0;
  return { quantity: sign * (divides ? count : 1), price: Math.abs(net) / (divides ? count : 1) };
};

/** Rates with the same category and rate are one here, whatever country or reason they have. */
const groupsOf = ({ taxes }: Invoice): EInvoice['groups'] => {
  const groups = new Map<
    string,
    { category: TaxGroup['category']; rate: number; reason: string; taxable: number; tax: number }
  >();
  for (const { category, rate, reason, taxable, tax } of taxes) {
    const key = `${category}:${rate}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { category, rate, reason, taxable, tax });
    else {
      group.taxable += taxable;
      group.tax += tax;
    }
  }
  return [...groups.values()];
};

/**
 * An invoice as EN 16931 has it. It is what it was when it was issued: later payments are not in it. Undefined for one that
 * is not final.
 */
export const eInvoiceOf = (invoice: Invoice, preceding: string | undefined): EInvoice | undefined => {
  const { seller, buyer, number, issuedAt, dueAt, currency, total } = invoice;
  if (seller === null || number === null || issuedAt === null) return undefined;
  const isNote = invoice.kind === 'credit-note';
  // What is owed to the buyer became their credit at once.
  const prepaid = isNote ? 0 : total < 0 ? total : invoice.creditApplied;
  const isUntaxed = invoice.taxes.every(({ category }) => category === 'O');
  return {
    number,
    type: isNote ? '381' : '380',
    issued: issuedAt.slice(0, 10),
    due: isNote || dueAt === null ? undefined : dueAt.slice(0, 10),
    currency,
    note: invoice.reason ?? undefined,
    preceding,
    // Where nothing is subject to VAT, VAT numbers must not be there (BR-O-2).
    seller: party(
      { ...seller, email: seller.email ?? null },
      isUntaxed ? undefined : seller.vatId,
      seller.registration ?? (isUntaxed ? seller.vatId : undefined),
    ),
    buyer: party(buyer, isUntaxed ? undefined : buyer.vatId),
    iban: seller.iban,
    lines: invoice.lines.map(({ description, quantity, net, tax, period }, i) => ({
      id: String(i + 1),
      name: description,
      ...priced(net, quantity),
      net,
      category: tax.category,
      rate: tax.rate,
      period: period === null ? null : { from: period.from.slice(0, 10), to: period.to.slice(0, 10) },
    })),
    groups: groupsOf(invoice),
    lineTotal: invoice.net,
    taxable: invoice.net,
    tax: invoice.tax,
    total,
    prepaid,
    payable: total - prepaid,
  };
};

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** One unit of the currency, which EN 16931 lets tax differ by: rounding on lines, and prices that include tax. */
const tolerance = (currency: string): number => 10 ** (toDecimal(money(0, currency)).split('.')[1]?.length ?? 0);

const needsReason = (category: string): boolean => ['E', 'AE', 'G', 'O'].includes(category);

/**
 * The rules of EN 16931-1:2017 that an invoice breaks, by their names: those that reckon (BR-CO), and of the others those
 * that our data could break. Empty for one that holds.
 */
export const violations = (e: EInvoice): readonly string[] => {
  const rules: readonly (readonly [rule: string, holds: boolean])[] = [
    ['BR-16', e.lines.length > 0],
    ['BR-27', e.lines.every(({ price }) => price >= 0)],
    ['BR-CO-10', e.lineTotal === sum(e.lines.map(({ net }) => net))],
    ['BR-CO-13', e.taxable === e.lineTotal],
    ['BR-CO-14', e.tax === sum(e.groups.map(({ tax }) => tax))],
    ['BR-CO-15', e.total === e.taxable + e.tax],
    ['BR-CO-16', e.payable === e.total - e.prepaid],
    [
      'BR-CO-17',
      e.groups.every(({ taxable, rate, tax }) => Math.abs(tax - (taxable * rate) / 1_000_000) < tolerance(e.currency)),
    ],
    ['BR-CO-18', e.groups.length > 0],
    ['BR-CO-25', e.payable <= 0 || e.due !== undefined || e.type === '381'],
    ['BR-CO-26', e.seller.vatId !== undefined || e.seller.registration !== undefined],
    [
      'BR-S-08',
      e.groups.every(
        ({ category, rate, taxable }) =>
          taxable ===
          sum(e.lines.filter((line) => line.category === category && line.rate === rate).map(({ net }) => net)),
      ),
    ],
    [
      'BR-AE-02',
      !e.groups.some(({ category }) => category === 'AE') ||
        (e.seller.vatId !== undefined && e.buyer.vatId !== undefined),
    ],
    ['BR-S-02', !e.groups.some(({ category }) => category === 'S') || e.seller.vatId !== undefined],
    ['BR-S-05', e.groups.every(({ category, rate }) => (category === 'S') === rate > 0)],
    ['BR-E-10', e.groups.every(({ category, reason }) => !needsReason(category) || reason !== '')],
    ['BR-O-11', e.groups.length < 2 || !e.groups.some(({ category }) => category === 'O')],
    ['BR-55', e.type === '380' || e.preceding !== undefined],
  ];
  return rules.filter(([, holds]) => !holds).map(([rule]) => rule);
};
