import {
  type OrdersCapture,
  type Refund,
  RefundStatus,
  type SellerReceivableBreakdown,
} from '@paypal/paypal-server-sdk';
import { describe, expect, it } from 'vitest';
import { money } from '../../kernel/money.ts';
import { isFeeThere, paypalSettlements } from './paypal.settlements.ts';

const sek = (value: string) => ({ currencyCode: 'SEK', value });
const eur = (value: string) => ({ currencyCode: 'EUR', value });
const [kr, euro] = [(amount: number) => money(amount, 'SEK'), (amount: number) => money(amount, 'EUR')];
const capture = (change: Partial<SellerReceivableBreakdown>): OrdersCapture => ({
  id: 'CAP',
  sellerReceivableBreakdown: { grossAmount: sek('200.00'), ...change },
});
const whole = { paypalFee: sek('7.47'), netAmount: sek('192.53'), receivableAmount: eur('16.77') };
const refund = (change: Refund['sellerPayableBreakdown'], status = RefundStatus.Completed): Refund => ({
  id: 'REF',
  status,
  sellerPayableBreakdown: { grossAmount: sek('100.00'), ...change },
});

describe('what PayPal tells of a capture that it changed', () => {
  it('is the net amount and what that became; its fee is the payment’s own', () => {
    expect(paypalSettlements([capture(whole)], [])).toEqual([{ reference: 'CAP', of: kr(19_253), as: euro(1_677) }]);
    expect(isFeeThere(capture(whole))).toBe(false);
  });

  it('is the whole of it where the fee is taken from what it became', () => {
    const there = capture({ ...whole, paypalFeeInReceivableCurrency: eur('0.65') });
    const settlement = { reference: 'CAP', of: kr(20_000), as: euro(1_742), fee: euro(65) };
    expect(paypalSettlements([there], [])).toEqual([settlement]);
    expect(isFeeThere(there)).toBe(true);
    // The fee is told in that currency alone.
    const { paypalFee: _, ...rest } = whole;
    const alone = capture({ ...rest, netAmount: sek('200.00'), paypalFeeInReceivableCurrency: eur('0.65') });
    expect(paypalSettlements([alone], [])).toEqual([settlement]);
  });

  it('is made up of gross and fee where the net amount is not told', () => {
    const { netAmount: _, ...rest } = whole;
    expect(paypalSettlements([capture(rest)], [])).toMatchObject([{ of: kr(19_253) }]);
    expect(paypalSettlements([capture({ receivableAmount: eur('17.42') })], [])).toMatchObject([{ of: kr(20_000) }]);
  });

  it('may be less than nothing, where the fee is more than what was paid', () => {
    const small = { grossAmount: sek('0.30'), paypalFee: sek('0.50'), netAmount: sek('-0.20') };
    const [settlement] = paypalSettlements([capture({ ...small, receivableAmount: eur('-0.02') })], []);
    expect(settlement).toEqual({ reference: 'CAP', of: kr(-20), as: euro(-2) });
  });

  it.each([
    ['nothing was changed', { ...whole, receivableAmount: sek('192.53') }],
    ['nothing is told yet', {}],
    ['nothing was left', { paypalFee: sek('200.00'), netAmount: sek('0.00'), receivableAmount: eur('0.00') }],
  ])('is none where %s', (_why, told) => {
    expect(paypalSettlements([capture(told), { id: 'PENDING' }], [])).toEqual([]);
  });

  it('is told of each of several', () => {
    const other = { ...capture({ ...whole, netAmount: sek('1.00'), receivableAmount: eur('0.09') }), id: 'CAP2' };
    const references = paypalSettlements([capture(whole), other], []).map(({ reference }) => reference);
    expect(references).toEqual(['CAP', 'CAP2']);
  });
});

describe('what PayPal tells of a refund that it changed', () => {
  const told = { netAmount: sek('100.00'), netAmountInReceivableCurrency: eur('8.74') };

  it('is what was given back and what went out for it', () => {
    const out = { reference: 'REF', of: kr(-10_000), as: euro(-874) };
    expect(paypalSettlements([], [refund(told)])).toEqual([out]);
    const zeros = { ...told, paypalFee: sek('0.00'), paypalFeeInReceivableCurrency: eur('0.00') };
    expect(paypalSettlements([], [refund(zeros)])).toEqual([out]);
    // In parts only, where there is one.
    const item = { payableAmount: eur('8.74'), convertedAmount: sek('100.00') };
    const parts = { netAmount: sek('100.00'), netAmountBreakdown: [item] };
    expect(paypalSettlements([], [refund(parts)])).toEqual([out]);
    expect(paypalSettlements([], [refund({ ...parts, netAmountBreakdown: [item, item] })])).toEqual([]);
  });

  it('has what comes back of the fee, in the currency that it comes back in', () => {
    const back = { ...told, netAmount: sek('96.51'), netAmountInReceivableCurrency: eur('8.43') };
    const there = { ...back, paypalFee: sek('3.49'), paypalFeeInReceivableCurrency: eur('0.31') };
    expect(paypalSettlements([], [refund(there)])).toEqual([
      { reference: 'REF', of: kr(-10_000), as: euro(-874), fee: euro(-31) },
    ]);
    expect(paypalSettlements([], [refund({ ...back, paypalFee: sek('3.49') })])).toEqual([
      { reference: 'REF', of: kr(-9_651), as: euro(-843), fee: kr(-349) },
    ]);
  });

  it.each([RefundStatus.Failed, RefundStatus.Cancelled])('comes back as it went where the refund is %s', (status) => {
    expect(paypalSettlements([], [refund(told, status)])).toEqual([
      { reference: 'REF', of: kr(-10_000), as: euro(-874) },
      { reference: 'REF:back', of: kr(10_000), as: euro(874) },
    ]);
  });
});
