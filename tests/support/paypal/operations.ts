import type { PayPalBook, PayPalOrder } from './book.ts';
import {
  captureSchema,
  cents,
  checked,
  createSchema,
  emptySchema,
  ofCents,
  PayPalRefusal,
  refundSchema,
} from './schema.ts';

export interface Asked {
  readonly merchant: string;
  /** Of what the path names. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}
export type Operation = readonly [
  method: string,
  path: RegExp,
  run: (asked: Asked) => object | undefined,
  status: number,
];

export const orderView = (order: PayPalOrder) => ({
  id: order.id,
  intent: order.intent,
  status: order.status,
  purchase_units: [
    {
      reference_id: 'default',
      custom_id: order.customId,
      amount: order.amount,
      payee: { merchant_id: order.merchant },
      ...(order.captures.length + order.authorizations.length === 0
        ? {}
        : { payments: { authorizations: order.authorizations, captures: order.captures, refunds: order.refunds } }),
    },
  ],
  links: [
    { href: `https://api-m.sandbox.paypal.com/v2/checkout/orders/${order.id}`, rel: 'self', method: 'GET' },
    { href: `https://www.sandbox.paypal.com/checkoutnow?token=${order.id}`, rel: 'payer-action', method: 'GET' },
  ],
});

/** Orders, payments, disputes and reports. */
export const operationsOn = (book: PayPalBook): readonly Operation[] => {
  /** Takes or holds what the payer agreed to, as the order's intent is. */
  const charge = (order: PayPalOrder): void => {
    if (order.intent === 'CAPTURE') {
      book.capture(order, order.amount);
      return;
    }
    const authorisation = { id: book.newId(), status: 'CREATED', amount: order.amount };
    order.authorizations.push(authorisation);
    order.status = 'COMPLETED';
    book.tell('PAYMENT.AUTHORIZATION.CREATED', order, authorisation);
  };

  const create = ({ merchant, body }: Asked): object => {
    const { intent, purchase_units, payment_source } = createSchema.parse(body);
    const [unit] = purchase_units;
    if (unit === undefined) throw new PayPalRefusal(400, 'MISSING_REQUIRED_PARAMETER');
    const order: PayPalOrder = {
      id: book.newId(),
      merchant,
      intent,
      status: 'PAYER_ACTION_REQUIRED',
      customId: unit.custom_id,
      amount: checked(unit.amount),
      outcome: 'completed',
      authorizations: [],
      captures: [],
      refunds: [],
      disputes: [],
    };
    book.orders.set(order.id, order);
    // A payer who has agreed before is not asked again.
    if (payment_source?.paypal.vault_id !== undefined) charge(order);
    return orderView(order);
  };

  const take = ({ id, merchant, body }: Asked, hold: boolean): object => {
    emptySchema.parse(body);
    const order = book.find(id, merchant);
    if (order.status === 'COMPLETED') throw new PayPalRefusal(422, 'ORDER_ALREADY_CAPTURED');
    if (order.status !== 'APPROVED') throw new PayPalRefusal(422, 'ORDER_NOT_APPROVED');
    if (hold !== (order.intent === 'AUTHORIZE')) throw new PayPalRefusal(422, 'ACTION_DOES_NOT_MATCH_INTENT');
    if (order.outcome === 'declined') throw new PayPalRefusal(422, 'INSTRUMENT_DECLINED');
    charge(order);
    return orderView(order);
  };

  const heldBy = ({ id, merchant }: Asked) => {
    const order = book.findWith(merchant, ({ authorizations }) => authorizations.some((one) => one.id === id));
    const [authorisation] = order.authorizations;
    if (authorisation === undefined) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return { order, authorisation };
  };
  const captureHeld = (asked: Asked): object => {
    const { order, authorisation } = heldBy(asked);
    if (authorisation.status !== 'CREATED') throw new PayPalRefusal(422, 'AUTHORIZATION_ALREADY_CAPTURED');
    const amount = checked(captureSchema.parse(asked.body).amount ?? authorisation.amount);
    if (cents(amount) > cents(authorisation.amount)) throw new PayPalRefusal(422, 'MAX_CAPTURE_AMOUNT_EXCEEDED');
    authorisation.status = 'CAPTURED';
    return book.capture(order, amount);
  };
  const voidHeld = (asked: Asked): object => {
    const { order, authorisation } = heldBy(asked);
    if (authorisation.status !== 'CREATED') throw new PayPalRefusal(422, 'PREVIOUSLY_CAPTURED');
    authorisation.status = 'VOIDED';
    book.tell('PAYMENT.AUTHORIZATION.VOIDED', order, authorisation);
    return authorisation;
  };
  const ofCapture = ({ id, merchant }: Asked): PayPalOrder =>
    book.findWith(merchant, ({ captures }) => captures.some((one) => one.id === id));
  const refund = (asked: Asked): object => {
    const order = ofCapture(asked);
    const { amount, custom_id: customId } = refundSchema.parse(asked.body);
    const how = { customId, type: 'PAYMENT.CAPTURE.REFUNDED', status: 'COMPLETED' };
    const capture = order.captures.find(({ id }) => id === asked.id);
    return book.refund(order, checked(amount ?? book.takenOf(order).amount), how, capture);
  };

  const disputesOf = ({ merchant, query }: Asked): object => {
    const capture = query.get('disputed_transaction_id');
    const all = [...book.orders.values()]
      .filter((order) => order.merchant === merchant)
      .flatMap(({ disputes }) => disputes);
    const items = all
      .filter(({ disputed_transactions: [one] }) => one?.seller_transaction_id === capture)
      // Summaries do not say how it ended, nor of what it is.
      .map(({ dispute_outcome: _o, disputed_transactions: _t, ...summary }) => summary);
    return { items, links: [] };
  };
  const dispute = ({ id, merchant }: Asked): object => {
    const has = ({ disputes }: PayPalOrder) => disputes.some((one) => one.dispute_id === id);
    return book.findWith(merchant, has).disputes.find((one) => one.dispute_id === id) ?? {};
  };
  const balances = ({ merchant, query }: Asked): object => {
    if (query.get('currency_code') !== 'ALL') throw new PayPalRefusal(400, 'INVALID_PARAMETER_VALUE');
    const told = [...book.balances(merchant)].map(([currency, { total, withheld }]) => ({
      currency,
      total_balance: ofCents(total, currency),
      available_balance: ofCents(total - withheld, currency),
      withheld_balance: ofCents(withheld, currency),
    }));
    return { balances: told, account_id: merchant };
  };

  return [
    ['POST', /^\/v2\/checkout\/orders$/, create, 201],
    ['GET', /^\/v2\/checkout\/orders\/(\w+)$/, ({ id, merchant }) => orderView(book.find(id, merchant)), 200],
    ['POST', /^\/v2\/checkout\/orders\/(\w+)\/capture$/, (asked) => take(asked, false), 201],
    ['POST', /^\/v2\/checkout\/orders\/(\w+)\/authorize$/, (asked) => take(asked, true), 201],
    ['POST', /^\/v2\/payments\/authorizations\/(\w+)\/capture$/, captureHeld, 201],
    ['POST', /^\/v2\/payments\/authorizations\/(\w+)\/void$/, voidHeld, 200],
    [
      'GET',
      /^\/v2\/payments\/authorizations\/(\w+)$/,
      (asked) => ({ ...heldBy(asked).authorisation, ...book.related(heldBy(asked).order) }),
      200,
    ],
    [
      'GET',
      /^\/v2\/payments\/captures\/(\w+)$/,
      (asked) => ({
        ...ofCapture(asked).captures.find((one) => one.id === asked.id),
        ...book.related(ofCapture(asked)),
      }),
      200,
    ],
    ['POST', /^\/v2\/payments\/captures\/(\w+)\/refund$/, refund, 201],
    ['GET', /^\/v1\/customer\/disputes$/, disputesOf, 200],
    ['GET', /^\/v1\/customer\/disputes\/([\w-]+)$/, dispute, 200],
    ['GET', /^\/v1\/reporting\/balances$/, balances, 200],
    ['GET', /^\/v1\/identity\/oauth2\/userinfo$/, ({ merchant }) => ({ user_id: 'u', payer_id: merchant }), 200],
  ];
};
