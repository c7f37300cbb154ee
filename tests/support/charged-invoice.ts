import { billingDue } from '#shared/business/billing/billing.events.ts';
import type { BillingOptions } from '#shared/business/billing/billing.ts';
import {
  bookClosed,
  bookCredit,
  bookFinalised,
  bookPaidBack,
  bookPayment,
  bookRefund,
} from '#shared/business/billing/books.jobs.ts';
import { collectDue, settleCharge } from '#shared/business/billing/collection.jobs.ts';
import { newInvoiceSchema } from '#shared/business/billing/invoice.schema.ts';
import { askRefund, creditOverpayment, noteRefund } from '#shared/business/billing/refund.jobs.ts';
import { manualClock } from '#shared/kernel/clock.ts';
import { paymentRefunded, paymentSucceeded } from '#shared/payments/index.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { billingOn } from './billing.ts';
import { openBooks } from './books.ts';
import { fakeCharges } from './charges.ts';

/** All jobs that take in what becomes of invoices, as far as no time has to pass. */
const jobs = [
  askRefund,
  creditOverpayment,
  bookFinalised,
  bookPayment,
  bookRefund,
  bookPaidBack,
  bookClosed,
  bookCredit,
];

/** A final invoice of 11,900 (10,000 and 19 % of tax), means to be paid, and books. Nothing is charged by itself. */
export const charged = async () => {
  const charges = fakeCharges();
  const clock = manualClock('2026-01-01T00:00:00Z');
  const driver = embeddedDriver();
  const { books, entries, balance } = openBooks();
  const worldOn = (through: (inner: Driver) => Driver, by: BillingOptions['charges'] = charges) =>
    billingOn(databaseOn(through(driver), { now: clock.now }), { charges: by, clock, books });
  const world = worldOn((inner) => inner);
  const actor = await world.tenant({ dunning: { retryAfterDays: [1, 3], finally: 'nothing', invoice: 'open' } });
  const { tenant } = actor;
  const customer = (await world.customer(actor)).id;
  const lines = [{ description: 'Work', unitAmount: 10_000 }];
  const { id: invoice } = await world.billingInvoices.create(actor, newInvoiceSchema.parse({ customer, lines }));
  await world.billingInvoices.finalise(actor, invoice);
  const services = { ...world.services, books };

  const pay = async (outcome: 'succeeded' | 'pending'): Promise<void> => {
    charges.decide(customer, outcome);
    await world.checkout.charge(actor, invoice, {});
  };
  /** A payment's event of the nth charge: what it says is not taken for the truth. */
  const paymentEvent = (type: typeof paymentSucceeded, nth: number) => {
    const data = {
      payment: `pay_${nth}`,
      reference: `${invoice}:${nth}`,
      customer,
      gateway: 'acmepay' as const,
      mode: 'test' as const,
      amount: 1,
      currency: 'EUR',
      decline: null,
    };
    return world.makeEvent(type, { tenant, subject: data.payment, data });
  };
  const eventOf = async ({ type }: { readonly type: string }) => {
    const event = (await world.eventsOf(actor)).find((one) => one.type === type);
    if (event === undefined) throw new Error(`There is no ${type}.`);
    return event;
  };
  const collect = () =>
    world.drain(
      actor,
      collectDue,
      world.makeEvent(billingDue, { tenant, subject: tenant, data: { run: String(clock.now()), page: 0 } }),
    );
  /** Every event there ever was, each twice and the last first, until nothing new is told. */
  const deliver = async (): Promise<void> => {
    for (let before = -1, events = await world.eventsOf(actor); events.length > before; ) {
      before = events.length;
      for (const event of [...events, ...events].toReversed()) {
        for (const job of jobs) await world.runJob(job, event, services);
      }
      events = await world.eventsOf(actor);
    }
  };
  return {
    world,
    worldOn,
    services,
    actor,
    customer,
    invoice,
    charges,
    clock,
    entries,
    balance,
    deliver,
    collect,
    eventOf,
    paid: () => pay('succeeded'),
    pending: () => pay('pending'),
    told: (nth: number) => world.runJob(settleCharge, paymentEvent(paymentSucceeded, nth), services),
    refunded: (nth: number) => world.runJob(noteRefund, paymentEvent(paymentRefunded, nth), services),
    stateOf: () => world.billingInvoices.get(actor, invoice),
  };
};
