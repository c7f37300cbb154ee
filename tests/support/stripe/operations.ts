import type * as z from 'zod';
import * as billing from './billing.ts';
import { limitSchema, parameters } from './contract.ts';
import * as payments from './payments.ts';
import { type AccountState, base, collectionsOf, find, invalid, type Kept } from './state.ts';

interface ListParams {
  readonly limit?: number | undefined;
  readonly starting_after?: string | undefined;
  readonly ending_before?: string | undefined;
  readonly created?: Readonly<Record<string, number | undefined>> | undefined;
}

/** Newest first; `starting_after` goes on to older ones, `ending_before` to newer. https://docs.stripe.com/api/pagination */
const page = (url: string, oldestFirst: readonly Kept[], params: ListParams) => {
  const limit = limitSchema.safeParse(params.limit ?? 10);
  if (!limit.success) throw invalid('This value must be between 1 and 100.', 'limit');
  const { gte = 0, gt = -1, lte = Infinity, lt = Infinity } = params.created ?? {};
  const all = oldestFirst
    .filter(({ created }) => created >= gte && created > gt && created <= lte && created < lt)
    .toReversed();
  const at = (id: string | undefined, param: string): number | undefined => {
    if (id === undefined) return undefined;
    const index = all.findIndex((one) => one.id === id);
    if (index < 0) throw invalid(`No such object: '${id}'`, param, 'resource_missing');
    return index;
  };
  const [after, before] = [at(params.starting_after, 'starting_after'), at(params.ending_before, 'ending_before')];
  const from = before === undefined ? (after ?? -1) + 1 : Math.max(0, before - limit.data);
  const data = all.slice(from, before ?? from + limit.data);
  return { object: 'list', url, data, has_more: before === undefined ? all.length > from + limit.data : from > 0 };
};

/** As many as come with an invoice; further ones have a list of their own. */
const included = 2;

/** Only where it is asked for: https://docs.stripe.com/api/invoices/object#invoice_object-payments */
const paymentsOf = (state: AccountState, id: string) => {
  const all = [...state.invoicePayments.values()].filter(({ invoice }) => invoice === id);
  const url = `/v1/invoice_payments?invoice=${id}`;
  return { payments: { object: 'list', url, data: all.slice(0, included), has_more: all.length > included } };
};

const searchSchema = /^metadata\['([\w-]+)'\]:'([\w-]+)'$/;

export interface Operation {
  readonly method: string;
  readonly pattern: RegExp;
  /** The result, after the parameters were found to be as documented. A ZodError is a refusal of them. */
  readonly run: (state: AccountState, params: unknown, id: string) => object;
}

const operation = <P>(
  method: string,
  path: string,
  schema: z.ZodType<P>,
  run: (state: AccountState, params: P, id: string) => object,
): Operation => ({
  method,
  pattern: new RegExp(`^/v1/${path.replace(':id', '([\\w-]+)')}$`),
  run: (state, params, id) => run(state, schema.parse(params), id),
});

const { retrieve } = parameters;

export const operations: readonly Operation[] = [
  operation('POST', 'customers', parameters.createCustomer, billing.createCustomer),
  operation('GET', 'customers', parameters.listCustomers, (state, params) =>
    page('/v1/customers', [...state.customers.values()], params),
  ),
  operation('GET', 'customers/:id', retrieve, (state, _params, id) =>
    state.deleted.has(id) ? { id, object: 'customer', deleted: true } : find(state.customers, id),
  ),
  operation('POST', 'customers/:id', parameters.updateCustomer, (state, params, id) =>
    billing.updateCustomer(state, id, params),
  ),
  operation('DELETE', 'customers/:id', parameters.none, (state, _params, id) => billing.deleteCustomer(state, id)),
  operation('GET', 'payment_intents/search', parameters.search, (state, { query }) => {
    const [, name = '', value] = searchSchema.exec(query) ?? [];
    if (value === undefined) throw invalid('The query is not valid.', 'query');
    const data = [...state.intents.values()].filter(({ metadata, created }) => {
      // The index is behind: https://docs.stripe.com/search#data-freshness
      return metadata?.[name] === value && created <= state.now() - 60;
    });
    return { object: 'search_result', url: '/v1/payment_intents/search', data, has_more: false, next_page: null };
  }),
  operation('POST', 'payment_intents', parameters.createIntent, payments.createIntent),
  operation('GET', 'payment_intents', parameters.listIntents, (state, params) =>
    page('/v1/payment_intents', [...state.intents.values()], params),
  ),
  operation('GET', 'payment_intents/:id', retrieve, (state, _params, id) => find(state.intents, id)),
  operation('POST', 'payment_intents/:id/confirm', parameters.confirmIntent, (state, params, id) =>
    payments.confirmAgain(state, id, params),
  ),
  operation('POST', 'payment_intents/:id/capture', parameters.captureIntent, (state, params, id) =>
    payments.captureIntent(state, id, params.amount_to_capture),
  ),
  operation('POST', 'payment_intents/:id/cancel', parameters.cancelIntent, (state, params, id) =>
    payments.cancelIntent(state, id, params.cancellation_reason),
  ),
  operation('POST', 'refunds', parameters.createRefund, payments.createRefund),
  operation('GET', 'refunds', parameters.listOfIntent, (state, params) => {
    const of = [...state.refunds.values()].filter((one) => one.payment_intent === params.payment_intent);
    return page('/v1/refunds', of, params);
  }),
  operation('GET', 'refunds/:id', retrieve, (state, _params, id) => find(state.refunds, id)),
  operation('GET', 'disputes', parameters.listOfIntent, (state, params) => {
    const of = [...state.disputes.values()].filter((one) => one.payment_intent === params.payment_intent);
    return page('/v1/disputes', of, params);
  }),
  operation('GET', 'payouts', parameters.listPayouts, (state, params) =>
    page('/v1/payouts', [...state.payouts.values()], params),
  ),
  operation('GET', 'payouts/:id', retrieve, (state, _params, id) => find(state.payouts, id)),
  operation('POST', 'checkout/sessions', parameters.createCheckout, billing.createCheckout),
  operation('GET', 'checkout/sessions/:id', retrieve, (state, _params, id) => find(state.sessions, id)),
  operation('POST', 'billing_portal/sessions', parameters.createPortal, (state, params) => {
    find(state.customers, params.customer, 'customer');
    const session = base(state, 'bps', 'billing_portal.session');
    return { ...session, ...params, url: `https://billing.stripe.com/p/session/${session.id}` };
  }),
  operation('POST', 'subscriptions', parameters.createSubscription, billing.createSubscription),
  operation('GET', 'subscriptions', parameters.listSubscriptions, (state, params) => {
    const all = [...state.subscriptions.values()].filter(
      ({ customer, status }) =>
        (params.customer === undefined || customer === params.customer) &&
        (params.status === 'all' || (params.status ?? status) === status) &&
        (params.status !== undefined || status !== 'canceled'),
    );
    return page('/v1/subscriptions', all, params);
  }),
  operation('GET', 'subscriptions/:id', retrieve, (state, _params, id) => find(state.subscriptions, id)),
  operation('POST', 'subscriptions/:id', parameters.updateSubscription, (state, params, id) =>
    billing.updateSubscription(state, id, params),
  ),
  operation('DELETE', 'subscriptions/:id', parameters.cancelSubscription, (state, _params, id) => {
    find(state.subscriptions, id);
    return billing.endSubscription(state, id);
  }),
  operation('GET', 'invoices', parameters.listInvoices, (state, params) => {
    const all = [...state.invoices.values()].filter(
      ({ customer }) => params.customer === undefined || customer === params.customer,
    );
    const listed = page('/v1/invoices', all, params);
    const withPayments = params.expand?.includes('data.payments') === true;
    return withPayments
      ? { ...listed, data: listed.data.map((one) => ({ ...one, ...paymentsOf(state, one.id) })) }
      : listed;
  }),
  operation('GET', 'invoices/:id', retrieve, (state, { expand }, id) => {
    const invoice = find(state.invoices, id);
    return expand?.includes('payments') === true ? { ...invoice, ...paymentsOf(state, id) } : invoice;
  }),
  operation('GET', 'invoice_payments', parameters.listInvoicePayments, (state, params) => {
    const of = [...state.invoicePayments.values()].filter(
      ({ invoice, status }) => (params.invoice ?? invoice) === invoice && (params.status ?? status) === status,
    );
    return page('/v1/invoice_payments', of, params);
  }),
  operation('GET', 'credit_notes', parameters.listCreditNotes, (state, params) => {
    const of = [...state.creditNotes.values()].filter(
      ({ invoice, customer }) => (params.invoice ?? invoice) === invoice && (params.customer ?? customer) === customer,
    );
    return page('/v1/credit_notes', of, params);
  }),
  operation('GET', 'account', parameters.none, ({ account }) => ({
    id: account === 'platform' ? 'acct_platform' : account,
    object: 'account',
  })),
  operation('GET', 'balance', parameters.none, (state) => {
    const totals = new Map<string, number>();
    for (const { currency, net } of state.transactions.values()) {
      totals.set(currency, (totals.get(currency) ?? 0) + net);
    }
    const available = [...totals].map(([currency, amount]) => ({ amount, currency, source_types: { card: amount } }));
    return { object: 'balance', available, pending: [], livemode: state.livemode };
  }),
  operation('GET', 'events', parameters.listEvents, (state, params) => {
    const { type: group, types } = params;
    const isIn = (type: string): boolean => group === undefined || type.startsWith(group.replace('*', ''));
    const all = state.events.filter(({ type }) => isIn(type) && (types?.includes(type) ?? true));
    return page('/v1/events', all, params);
  }),
];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Puts objects in the place of their ids, at the paths that `expand` names. */
export const expanded = (state: AccountState, value: unknown, paths: readonly string[]): unknown => {
  if (Array.isArray(value)) return value.map((item) => expanded(state, item, paths));
  if (!isObject(value) || paths.length === 0) return value;
  const heads = Map.groupBy(paths, (path) => path.split('.')[0] ?? '');
  const changed = Object.fromEntries(
    [...heads].map(([head, all]) => {
      const at = value[head];
      const object = typeof at === 'string' ? collectionsOf(state).flatMap((some) => some.get(at) ?? [])[0] : at;
      const rest = all.map((path) => path.split('.').slice(1).join('.')).filter((path) => path !== '');
      return [head, expanded(state, object, rest)];
    }),
  );
  return { ...value, ...changed };
};
