import * as z from 'zod';
import {
  checkoutInputSchema,
  checkoutViewSchema,
  invoiceStatusSchema,
  invoiceViewSchema,
  newInvoiceSchema,
  refundWays,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/billing/invoices';
const read = { scopes: ['billing:read'] };
const write = { scopes: ['billing:write'] };

const create = endpoint({
  method: 'post',
  path,
  summary: 'Draft an invoice',
  description: 'Of lines of your own. Subscriptions make theirs by themselves.',
  access: write,
  body: newInvoiceSchema,
  status: 201,
  response: invoiceViewSchema,
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List invoices and credit notes',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    customer: idParams.shape.id.optional(),
    subscription: idParams.shape.id.optional(),
    status: invoiceStatusSchema.optional(),
  }),
  status: 200,
  response: pageSchema(invoiceViewSchema),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get an invoice',
  access: read,
  params: idParams,
  status: 200,
  response: invoiceViewSchema,
  errors: ['not-found'],
});

const act = <B>(verb: string, summary: string, description: string, body?: z.ZodType<B>) =>
  endpoint({
    method: 'post',
    path: `${path}/{id}/${verb}`,
    summary,
    description,
    access: write,
    params: idParams,
    ...(body === undefined ? {} : { body }),
    status: 200,
    response: invoiceViewSchema,
    errors: ['not-found', 'precondition-failed', 'revision-conflict'],
  });

const finalise = act(
  'finalise',
  'Make an invoice final',
  'It gets the next number of its series, and the customer’s credit is spent on it. Then only its payment changes.',
);
const pay = act(
  'pay',
  'Note that an invoice was paid',
  'By other means than a gateway. All that is due, or part of it.',
  z.strictObject({
    amount: z.int().min(1).max(1_000_000_000_000).optional().meta({ description: 'Minor units; all where absent.' }),
  }),
);
const voidInvoice = act(
  'void',
  'Declare an invoice void',
  'Its number stays taken. What was spent of credit comes back.',
);
const giveUp = act('give-up', 'Give an invoice up', 'It is uncollectible: nobody is reminded any more.');
const credit = act(
  'credit-notes',
  'Credit an invoice or part of it',
  'The credit note is final at once, with a number of its own series and the tax of the invoice.',
  z.strictObject({
    reason: z
      .string()
      .min(1)
      .max(300)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u)
      .meta({ description: 'It stands on the credit note.', examples: ['Outage in May'] }),
    lines: z
      .array(
        z.strictObject({
          line: z.int().min(0).max(249).meta({ description: 'Its place on the invoice, from 0.' }),
          amount: z.int().min(1).max(1_000_000_000_000).meta({ description: 'After discounts, minor units.' }),
        }),
      )
      .min(1)
      .max(250)
      .optional()
      .meta({ description: 'All of the invoice where absent.' }),
    refund: z
      .enum(refundWays)
      .default('wallet')
      .meta({
        description:
          'Where what was paid already goes: back by the gateways that took it, to the customer’s credit, or by other ' +
          'means, which are noted by `refunds` once they are made.',
      }),
  }),
);
const refund = act(
  'refunds',
  'Pay back what is to be paid back of an invoice',
  'By the gateways that took it (`refunds` of the invoice say how that ends), as credit, or by other means, which this notes.',
  z.strictObject({
    to: z.enum(refundWays).meta({ description: 'How.' }),
    amount: z
      .int()
      .min(1)
      .max(1_000_000_000_000)
      .optional()
      .meta({ description: 'Minor units; all that is left of `toRefund` where absent.' }),
  }),
);

const charge = endpoint({
  method: 'post',
  path: `${path}/{id}/charge`,
  summary: 'Charge an invoice while its customer is there',
  description:
    'Through a gateway, by the customer’s means of payment or another. Where their bank wants to ask them, `action` says ' +
    'where. Again, it tells how the charge stands. Dunning waits for it, and does not count it.',
  access: write,
  params: idParams,
  body: checkoutInputSchema,
  status: 200,
  response: checkoutViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict', 'unavailable'],
});

const file = (format: 'pdf' | 'xml', summary: string, description: string) =>
  endpoint({
    method: 'get',
    path: `${path}/{id}/${format}`,
    summary,
    description,
    access: read,
    params: idParams,
    status: 200,
    response: z.object({ url: z.string(), expiresAt: z.iso.datetime() }),
    errors: ['not-found', 'precondition-failed'],
  });
const getPdf = file(
  'pdf',
  'Get an invoice as PDF',
  'A URL to it, without a credential. It has the XML in it (Factur-X).',
);
const getXml = file('xml', 'Get an invoice as XML', 'A URL to it, without a credential. Of EN 16931, as CII.');

type Services = Pick<BusinessServices, 'billingInvoices' | 'invoiceDocuments' | 'checkout'>;

export const billingInvoices = ({ billingInvoices: invoices, invoiceDocuments, checkout }: Services): Route[] => [
  handle(getPdf, ({ actor, params }) => invoiceDocuments.link(actor, params.id, 'pdf')),
  handle(getXml, ({ actor, params }) => invoiceDocuments.link(actor, params.id, 'xml')),
  handle(create, async ({ actor, body, c }) => {
    const invoice = await invoices.create(actor, body);
    c.header('location', `${path}/${invoice.id}`);
    return invoice;
  }),
  handle(list, ({ actor, query }) => invoices.list(actor, query)),
  handle(getOne, ({ actor, params }) => invoices.get(actor, params.id)),
  handle(finalise, ({ actor, params }) => invoices.finalise(actor, params.id)),
  handle(pay, ({ actor, params, body }) => invoices.pay(actor, params.id, body.amount)),
  handle(charge, ({ actor, params, body }) => checkout.charge(actor, params.id, body)),
  handle(voidInvoice, ({ actor, params }) => invoices.void(actor, params.id)),
  handle(giveUp, ({ actor, params }) => invoices.giveUp(actor, params.id)),
  handle(refund, ({ actor, params, body }) => invoices.refund(actor, params.id, body)),
  handle(credit, ({ actor, params, body }) => invoices.credit(actor, params.id, body)),
];
