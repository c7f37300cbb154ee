import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { startVies } from '#tests/support/vies-server.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { vies } from './vies.ts';

const server = await startVies();
afterAll(server.close);
beforeEach(() => {
  server.faults.length = 0;
  server.requests.length = 0;
});
const register = vies({ baseUrl: server.url, pause: () => 1 });
/** Does not wait long for who says nothing. */
const impatient = vies({ baseUrl: server.url, timeout: 1, pause: () => 1 });
server.valid.add('FR12345678901');

describe('VIES', () => {
  it('says whether a number is valid, with a name of the answer for who asks by name', async () => {
    expect(await register.check('FR12345678901', 'DE136695976')).toEqual({ valid: true, consultation: 'WAPIAAAA1' });
    expect(await register.check('FR00000000000')).toEqual({ valid: false, consultation: null });
    expect(server.requests[0]).toEqual({
      countryCode: 'FR',
      vatNumber: '12345678901',
      requesterMemberStateCode: 'DE',
      requesterNumber: '136695976',
    });
  });

  it('takes what the register refuses as a number for none', async () => {
    expect(await register.check('ZZ123')).toMatchObject({ valid: false });
  });

  it.each(['overloaded', 'broken', 'silent'] as const)('is asked again when it is %s', async (fault) => {
    server.faults.push(fault, fault);
    expect(await impatient.check('FR12345678901')).toMatchObject({ valid: true });
  });

  it('is unavailable when it stays so', async () => {
    server.faults.push('overloaded', 'broken', 'silent');
    await expect(impatient.check('FR12345678901')).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a customer’s VAT number', () => {
  const world = billingOn(embeddedDatabase(), { register });
  const french = { kind: 'business', country: 'FR', vatId: 'FR12345678901' };

  it('is looked up once, kept as evidence on the invoice, and asked for again when that is wanted', async () => {
    const actor = await world.tenant();
    const { id, evidence } = await world.customer(actor, french);
    expect(evidence).toMatchObject({ valid: true, source: 'vies', consultation: 'WAPIAAAA1' });
    await world.billingCustomers.change(actor, id, { name: 'Ada SARL' });
    expect(server.requests).toHaveLength(1);
    await world.billingCustomers.checkVatId(actor, id);
    expect(server.requests).toHaveLength(2);
    const price = await world.price(actor, { model: 'flat', amount: 1_000 });
    const { invoice } = await world.subscribe(actor, { customer: id, items: [{ price: price.id }] });
    expect(await world.billingInvoices.get(actor, invoice ?? '')).toMatchObject({
      tax: 0,
      total: 1_000,
      taxes: [{ category: 'AE', reason: expect.stringContaining('Reverse charge') }],
      evidence: { consultation: 'WAPIAAAA2' },
    });
  });

  it.each([
    ['charge', 'S'],
    ['reverse-charge', 'AE'],
  ])('that can’t be checked is dealt with as the settings say: %s', async (uncheckedVatId, category) => {
    server.faults.push('broken', 'broken', 'broken');
    const actor = await world.tenant({ uncheckedVatId });
    const { id, evidence } = await world.customer(actor, french);
    expect(evidence).toMatchObject({ valid: false, source: 'unavailable' });
    const price = await world.price(actor, { model: 'flat', amount: 1_000 });
    const { invoice } = await world.subscribe(actor, { customer: id, items: [{ price: price.id }] });
    expect((await world.billingInvoices.get(actor, invoice ?? '')).taxes).toMatchObject([{ category }]);
  });

  it('is refused unchecked where the settings want that, and always when it is of another country', async () => {
    server.faults.push('broken', 'broken', 'broken');
    const actor = await world.tenant({ uncheckedVatId: 'refuse' });
    await expect(world.customer(actor, french)).rejects.toMatchObject({ issues: [{ path: 'body.vatId' }] });
    await expect(world.customer(actor, { ...french, country: 'IT' })).rejects.toMatchObject({
      code: 'invalid-request',
    });
  });
});
