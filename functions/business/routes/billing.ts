import * as z from 'zod';
import {
  billingSettingsSchema,
  billingSettingsViewSchema,
  customerChangeSchema,
  customerViewSchema,
  newCreditSchema,
  newCustomerSchema,
  newHoldSchema,
  walletViewSchema,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/billing';
const customers = `${path}/customers`;
const read = { scopes: ['billing:read'] };
const write = { scopes: ['billing:write'] };
const settings = { scopes: ['billing:catalogue'] };

const getSettings = endpoint({
  method: 'get',
  path: `${path}/settings`,
  summary: 'Get the billing settings',
  access: read,
  status: 200,
  response: billingSettingsViewSchema,
});

const putSettings = endpoint({
  method: 'put',
  path: `${path}/settings`,
  summary: 'Replace the billing settings',
  description: 'What is left out gets its default. Subscriptions keep the time zone that they began with.',
  access: { ...settings, stepUp: sensitive },
  body: billingSettingsSchema,
  status: 200,
  response: billingSettingsViewSchema,
  errors: ['revision-conflict', 'precondition-failed'],
});

const setTestClock = endpoint({
  method: 'post',
  path: `${path}/test-clock`,
  summary: 'Set the time of a tenant that tries things out',
  description:
    'The first time stops it there. Each later time moves on to it, and does all that is due on the way at its own time; ' +
    'the settings tell how far it is. Only for a tenant without invoices of real time.',
  access: settings,
  body: z.strictObject({ at: z.iso.datetime().meta({ description: 'At most two years on.' }) }),
  status: 202,
  response: billingSettingsViewSchema,
  errors: ['revision-conflict', 'precondition-failed'],
});

const createCustomer = endpoint({
  method: 'post',
  path: customers,
  summary: 'Create a customer',
  description: 'A VAT number of a business is looked up in the register; what it said is kept as evidence.',
  access: write,
  body: newCustomerSchema,
  status: 201,
  response: customerViewSchema,
});

const listCustomers = endpoint({
  method: 'get',
  path: customers,
  summary: 'List customers',
  description: 'By id.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(customerViewSchema),
  errors: ['invalid-cursor'],
});

const getCustomer = endpoint({
  method: 'get',
  path: `${customers}/{id}`,
  summary: 'Get a customer',
  access: read,
  params: idParams,
  status: 200,
  response: customerViewSchema,
  errors: ['not-found'],
});

const changeCustomer = endpoint({
  method: 'patch',
  path: `${customers}/{id}`,
  summary: 'Change a customer',
  description: 'What is left out stays. Invoices that are final keep what they have.',
  access: write,
  params: idParams,
  body: customerChangeSchema,
  status: 200,
  response: customerViewSchema,
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

const eraseCustomer = endpoint({
  method: 'delete',
  path: `${customers}/{id}`,
  summary: 'Erase what names a customer',
  description: 'Name, addresses and numbers go. Invoices keep theirs, as the law wants it.',
  access: write,
  params: idParams,
  status: 200,
  response: customerViewSchema,
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

const checkVatId = endpoint({
  method: 'post',
  path: `${customers}/{id}/vat-check`,
  summary: 'Ask the register for a VAT number again',
  access: write,
  params: idParams,
  status: 200,
  response: customerViewSchema,
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

const getWallet = endpoint({
  method: 'get',
  path: `${customers}/{id}/wallet`,
  summary: 'Get the credit of a customer',
  access: read,
  params: idParams,
  status: 200,
  response: walletViewSchema,
  errors: ['not-found'],
});

const grantCredit = endpoint({
  method: 'post',
  path: `${customers}/{id}/credits`,
  summary: 'Give a customer credit',
  description: 'It is spent on the next invoices in its currency; what expires first goes first.',
  access: write,
  params: idParams,
  body: newCreditSchema,
  status: 201,
  response: walletViewSchema,
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

const holdCredit = endpoint({
  method: 'post',
  path: `${customers}/{id}/holds`,
  summary: 'Hold some of the credit of a customer',
  description: 'Nothing else can spend it until it is settled, or its time is over.',
  access: write,
  params: idParams,
  body: newHoldSchema,
  status: 201,
  response: walletViewSchema.extend({ id: z.string() }).meta({ id: 'WalletHold' }),
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

const settleHold = endpoint({
  method: 'post',
  path: `${customers}/{id}/holds/{hold}/settle`,
  summary: 'Spend what was held, or give it back',
  access: write,
  params: idParams.extend({ hold: idParams.shape.id }),
  body: z.strictObject({
    used: z.int().min(0).max(1_000_000_000_000).meta({ description: 'What is spent of it; the rest is given back.' }),
  }),
  status: 200,
  response: walletViewSchema,
  errors: ['not-found', 'revision-conflict', 'precondition-failed'],
});

type Services = Pick<BusinessServices, 'billingSettings' | 'billingCustomers' | 'walletService'>;

export const billing = ({ billingSettings, billingCustomers, walletService }: Services): Route[] => [
  handle(getSettings, ({ actor }) => billingSettings.get(actor)),
  handle(putSettings, ({ actor, body }) => billingSettings.put(actor, body)),
  handle(setTestClock, ({ actor, body }) => billingSettings.setTestClock(actor, body.at)),
  handle(createCustomer, async ({ actor, body, c }) => {
    const customer = await billingCustomers.create(actor, body);
    c.header('location', `${customers}/${customer.id}`);
    return customer;
  }),
  handle(listCustomers, ({ actor, query }) => billingCustomers.list(actor, query)),
  handle(getCustomer, ({ actor, params }) => billingCustomers.get(actor, params.id)),
  handle(changeCustomer, ({ actor, params, body }) => billingCustomers.change(actor, params.id, body)),
  handle(eraseCustomer, ({ actor, params }) => billingCustomers.erase(actor, params.id)),
  handle(checkVatId, ({ actor, params }) => billingCustomers.checkVatId(actor, params.id)),
  handle(getWallet, ({ actor, params }) => walletService.get(actor, params.id)),
  handle(grantCredit, ({ actor, params, body }) => walletService.grant(actor, params.id, body)),
  handle(holdCredit, ({ actor, params, body }) => walletService.hold(actor, params.id, body)),
  handle(settleHold, ({ actor, params, body }) => walletService.settle(actor, params.id, params.hold, body.used)),
];
