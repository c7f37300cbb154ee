import { afterAll, describe, expect, it } from 'vitest';
import { berlin, billingOn } from '#tests/support/billing.ts';
import { startTaxJar } from '#tests/support/taxjar-server.ts';
import { createMemoryCache } from '../../cache/memory.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { taxJar } from './taxjar.ts';

const server = await startTaxJar('the-key');
afterAll(server.close);
server.rates.set('NY', 0.08875);

const open = (apiKey = 'the-key') =>
  taxJar({ apiKey, baseUrl: server.url, cache: createMemoryCache(), timeout: 1, pause: () => 1 });
const address = { line1: '350 5th Ave', postalCode: '10118', city: 'New York', region: 'NY' };
const seller = { country: 'DE', address: berlin.address };
const question = { seller, buyer: { country: 'US', address }, category: 'standard' } as const;

describe('sales tax by TaxJar', () => {
  it('has the combined rate, and says whose it is', async () => {
    expect(await open().rate(question)).toEqual({ rate: 88_750, jurisdiction: 'Sales tax of NY, COUNTY, NEW YORK' });
  });

  it('is none where there is no nexus, and on what is exempt', async () => {
    const elsewhere = { ...address, region: 'OR' };
    expect((await open().rate({ ...question, buyer: { country: 'US', address: elsewhere } })).rate).toBe(0);
    expect((await open().rate({ ...question, category: 'exempt' })).rate).toBe(0);
  });

  it('is asked for once an hour', async () => {
    const tax = open();
    const before = server.requests();
    await Promise.all([tax.rate(question), tax.rate(question)]);
    await tax.rate(question);
    expect(server.requests() - before).toBe(1);
  });

  it.each([500, 429, 'silent'] as const)('is asked again after %s', async (fault) => {
    server.faults.push(fault, fault);
    expect((await open().rate(question)).rate).toBe(88_750);
  });

  it('is unavailable while nobody answers, or the key is wrong', async () => {
    server.faults.push(500, 500, 500);
    await expect(open().rate(question)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(open('wrong').rate(question)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([null, { ...address, region: undefined }, { ...address, postalCode: 'ABC' }])(
    'is refused for the address %j',
    async (wrong) => {
      const asked = { ...question, buyer: { country: 'US', address: wrong } };
      await expect(open().rate(asked)).rejects.toMatchObject({ code: 'precondition-failed' });
    },
  );

  it('is on the invoices of customers there', async () => {
    const world = billingOn(embeddedDatabase(), { salesTax: open() });
    const actor = await world.tenant();
    const customer = await world.customer(actor, { country: 'US', address });
    const price = await world.price(actor, { model: 'flat', amount: 10_000 });
    const { invoice } = await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id }] });
    // 10,000 × 0.08875 = 887.50, rounded half up
    expect(await world.billingInvoices.get(actor, invoice ?? '')).toMatchObject({ tax: 888, total: 10_888 });
  });
});
