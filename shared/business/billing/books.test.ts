import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { openBooks } from '#tests/support/books.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { bookClosed, bookCredit, bookFinalised, bookPaidBack, bookPayment, bookRefund } from './books.jobs.ts';
import { newInvoiceSchema } from './invoice.schema.ts';

describe('the books', () => {
  const setup = async () => {
    const world = billingOn(embeddedDatabase());
    const { books, entries, balance } = openBooks();
    const actor = await world.tenant();
    const customer = (await world.customer(actor)).id;
    const invoice = async () => {
      const lines = [{ description: 'Work', unitAmount: 10_000 }];
      const { id } = await world.billingInvoices.create(actor, newInvoiceSchema.parse({ customer, lines }));
      return (await world.billingInvoices.finalise(actor, id)).id;
    };
    /** All events, each delivered twice and the last first. */
    const book = async () => {
      const services = { ...world.services, books };
      const events = (await world.eventsOf(actor)).toReversed();
      for (const event of [...events, ...events]) {
        for (const job of [bookFinalised, bookPayment, bookRefund, bookPaidBack, bookClosed, bookCredit])
          await world.runJob(job, event, services);
      }
      return balance();
    };
    return { world, actor, customer, invoice, book, entries };
  };

  it('know what is owed, earned and due to the tax office', async () => {
    const { invoice, book, entries } = await setup();
    const id = await invoice();
    expect(await book()).toEqual({ receivables: 11_900, revenue: -10_000, 'tax-payable': -1_900 });
    expect([...entries.keys()]).toEqual([`invoice:${id}:final`]);
  });

  it('know what was paid, given up, credited and declared void', async () => {
    const { world, actor, customer, invoice, book } = await setup();
    const { billingInvoices: invoices, walletService } = world;
    await invoices.pay(actor, await invoice());
    await invoices.giveUp(actor, await invoice());
    await invoices.void(actor, await invoice());
    const credited = await invoice();
    await invoices.pay(actor, credited, 1_900);
    await invoices.credit(actor, credited, { reason: 'Broken', refund: 'wallet' });
    expect((await walletService.get(actor, customer)).balances).toMatchObject([{ balance: 1_900 }]);
    // Two invoices stand: one paid, one given up. 1,900 of the credited one were paid, and are credit now.
    expect(await book()).toEqual({
      cash: 11_900 + 1_900,
      'bad-debt': 11_900,
      revenue: -20_000,
      'tax-payable': -3_800,
      'customer-credit': -1_900,
    });
  });

  it('make a loss smaller by what comes after all, and by what is credited of it', async () => {
    const { world, actor, invoice, book } = await setup();
    const { billingInvoices: invoices } = world;
    const [late, void_, credited] = [await invoice(), await invoice(), await invoice()];
    for (const id of [late, void_, credited]) await invoices.giveUp(actor, id);
    await invoices.pay(actor, late, 11_000);
    await invoices.void(actor, void_);
    await invoices.credit(actor, credited, { reason: 'Broken', refund: 'wallet' });
    // What stands is one invoice, of which 900 are lost.
    expect(await book()).toEqual({ cash: 11_000, 'bad-debt': 900, revenue: -10_000, 'tax-payable': -1_900 });
  });

  it('know what credit was given, used, spent on invoices and ended', async () => {
    const { world, actor, customer, invoice, book, entries } = await setup();
    const { walletService: wallets } = world;
    const gift = (amount: number, expiresAt: string | null) =>
      wallets.grant(actor, customer, { amount, currency: 'EUR', reason: 'Gift', expiresAt });
    await gift(2_000, '2026-01-02T00:00:00.000Z');
    await gift(20_000, null);
    const { id } = await wallets.hold(actor, customer, { amount: 500, currency: 'EUR', seconds: 60 });
    await wallets.settle(actor, customer, id, 500);
    world.clock.advance(2 * 86_400_000);
    await invoice();
    // 1,500 of the first had ended; 11,900 of the second were spent on the invoice.
    expect(await book()).toEqual({
      'customer-credit': -8_100,
      'credit-given': 20_500,
      revenue: -10_500,
      'tax-payable': -1_900,
    });
    expect([...entries.keys()].filter((key) => key.startsWith('credit:'))).toHaveLength(4);
  });
});
