import type { OrdersCapture, Refund, SellerPayableBreakdown } from '@paypal/paypal-server-sdk';
import { add, isZero, type Money, negate, subtract, zero } from '../../kernel/money.ts';
import type { GatewaySettlement } from './gateway.ts';
import { fromPayPal, type PayPalMoney } from './paypal.money.ts';

type Breakdown = Pick<
  SellerPayableBreakdown,
  'grossAmount' | 'netAmount' | 'paypalFee' | 'paypalFeeInReceivableCurrency'
>;

const moneyOf = (amount: PayPalMoney | undefined): Money | undefined =>
  amount === undefined ? undefined : fromPayPal(amount);

/**
 * What came into the account (`moved`, after fees) or went out of it, in the direction of the money. None, where the
 * account has a balance in the currency of the payment: then there is nothing to be changed.
 */
const changeOf = (reference: string, moved: Money | undefined, told: Breakdown): readonly GatewaySettlement[] => {
  const gross = moneyOf(told.grossAmount);
  if (moved === undefined || gross === undefined || moved.currency === gross.currency) return [];
  const [fee, feeThere] = [
    moneyOf(told.paypalFee) ?? zero(gross.currency),
    moneyOf(told.paypalFeeInReceivableCurrency),
  ];
  const net = moneyOf(told.netAmount) ?? subtract(gross, fee);
  // What is kept in the account's currency is kept of what was changed, so that was the whole of it.
  const isThere = feeThere?.currency === moved.currency && !isZero(feeThere);
  const [of, as, kept] = isThere ? [add(net, fee), add(moved, feeThere), feeThere] : [net, moved, fee];
  return isZero(of) && isZero(as) ? [] : [{ reference, of, as, ...(isZero(kept) ? {} : { fee: kept }) }];
};

/** What was paid in, at the rate of its day. Its fee in the payment's own currency is told with the payment. */
const ofCapture = ({ id = '', sellerReceivableBreakdown: breakdown }: OrdersCapture): readonly GatewaySettlement[] =>
  breakdown === undefined
    ? []
    : changeOf(id, moneyOf(breakdown.receivableAmount), breakdown).map(({ fee, ...change }) =>
        fee?.currency === change.as.currency ? { ...change, fee } : change,
      );

/** Whether the fee of a capture is taken in the account's currency: then it is no part of the payment's own fee. */
export const isFeeThere = (capture: OrdersCapture): boolean => ofCapture(capture).some(({ fee }) => fee !== undefined);

const failed = new Set(['FAILED', 'CANCELLED']);
/** Nothing was given back by it, or what was has come back. */
export const hasFailed = ({ status }: Refund): boolean => failed.has(status ?? '');

const reversed = ({ reference, of, as, fee }: GatewaySettlement): GatewaySettlement => ({
  reference,
  of: negate(of),
  as: negate(as),
  ...(fee === undefined ? {} : { fee: negate(fee) }),
});

/**
 * What was paid back, at the rate of another day; PayPal's own reversals for a dispute too, whoever they are booked for.
 * PayPal has no word for what comes back of one that fails but its status: it is taken to be what went out.
 */
const ofRefund = (refund: Refund): readonly GatewaySettlement[] => {
  const { id = '', sellerPayableBreakdown: breakdown } = refund;
  if (breakdown === undefined) return [];
  const { netAmountInReceivableCurrency, netAmountBreakdown: [item, ...others] = [] } = breakdown;
  const debited = netAmountInReceivableCurrency ?? (others.length === 0 ? item?.payableAmount : undefined);
  const out = changeOf(id, moneyOf(debited), breakdown).map(reversed);
  if (!hasFailed(refund)) return out;
  return [...out, ...out.map((one) => ({ ...reversed(one), reference: `${one.reference}:back` }))];
};

/**
 * What PayPal changed into another currency, for an account that has no balance in the payment's own. Of a capture that
 * is pending it tells nothing yet. https://developer.paypal.com/docs/api/payments/v2/
 */
export const paypalSettlements = (
  captures: readonly OrdersCapture[],
  refunds: readonly Refund[],
): readonly GatewaySettlement[] => [...captures.flatMap(ofCapture), ...refunds.flatMap(ofRefund)];
