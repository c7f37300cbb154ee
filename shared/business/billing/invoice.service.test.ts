import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import type { Actor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { newInvoiceSchema } from './invoice.schema.ts';

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('invoices on %s', (_name, open) => {
  const clock = manualClock('2026-01-01T00:00:00Z');
  const world = billingOn(open({ now: clock.now }), { clock });
  const { billingInvoices: invoices, walletService: wallet } = world;
  const draft = async (
    actor: Actor,
    customer: string,
    lines: object[] = [{ description: 'Set-up', unitAmount: 10_000 }],
  ) => invoices.create(actor, newInvoiceSchema.parse({ customer, lines }));
  const setup = async () => {
    const actor = await world.tenant();
    const customer = (await world.customer(actor)).id;
    return { actor, customer };
  };
  const final = async () => {
    const { actor, customer } = await setup();
    const { id } = await draft(actor, customer);
    return { actor, customer, id, invoice: await invoices.finalise(actor, id) };
  };
  const refused = { code: 'precondition-failed' };

  it('have no number until they are final, and then never change', async () => {
    const { actor, customer } = await setup();
    const one = await draft(actor, customer);
    expect(one).toMatchObject({ status: 'draft', number: null, total: 11_900 });
    const { status, number, due, dueAt } = await invoices.finalise(actor, one.id);
    expect([status, number, due, dueAt]).toEqual(['open', 'INV-000001', 11_900, '2026-01-15T00:00:00.000Z']);
    await expect(invoices.finalise(actor, one.id)).rejects.toMatchObject(refused);
  });

  it('get numbers without a gap and without a duplicate, twenty at once', async () => {
    const { actor, customer } = await setup();
    const drafts = await Promise.all(Array.from({ length: 20 }, () => draft(actor, customer)));
    const all = await Promise.all(drafts.map(({ id }) => invoices.finalise(actor, id)));
    const expected = Array.from({ length: 20 }, (_, i) => `INV-${String(i + 1).padStart(6, '0')}`);
    expect(all.map(({ number }) => number).sort()).toEqual(expected);
  });

  it('are made final once of twenty at once, with one number taken', async () => {
    const { actor, customer } = await setup();
    const { id } = await draft(actor, customer);
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => invoices.finalise(actor, id)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await invoices.finalise(actor, (await draft(actor, customer)).id)).number).toBe('INV-000002');
  });

  it('are paid in parts, and not twice', async () => {
    const { actor, id } = await final();
    expect(await invoices.pay(actor, id, 1_900)).toMatchObject({ status: 'open', paid: 1_900, due: 10_000 });
    await expect(invoices.pay(actor, id, 10_001)).rejects.toMatchObject(refused);
    expect(await invoices.pay(actor, id)).toMatchObject({
      status: 'paid',
      paid: 11_900,
      due: 0,
      closedAt: expect.any(String),
    });
    await expect(invoices.pay(actor, id)).rejects.toMatchObject(refused);
    await expect(invoices.void(actor, id)).rejects.toMatchObject(refused);
  });

  it('are paid once of twenty payments at once', async () => {
    const { actor, id } = await final();
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => invoices.pay(actor, id)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await invoices.get(actor, id)).toMatchObject({ paid: 11_900 });
  });

  it('spend credit when they are final, and give it back when they are void', async () => {
    const { actor, customer } = await setup();
    await wallet.grant(actor, customer, { amount: 5_000, currency: 'EUR', reason: 'Sorry', expiresAt: null });
    const { id } = await draft(actor, customer);
    expect(await invoices.finalise(actor, id)).toMatchObject({ creditApplied: 5_000, due: 6_900 });
    expect((await wallet.get(actor, customer)).balances).toEqual([]);
    expect(await invoices.void(actor, id)).toMatchObject({ status: 'void', number: 'INV-000001', due: 0 });
    expect((await wallet.get(actor, customer)).balances).toMatchObject([{ balance: 5_000 }]);
  });

  it('can be given up, and paid after all', async () => {
    const { actor, id } = await final();
    expect(await invoices.giveUp(actor, id)).toMatchObject({ status: 'uncollectible', due: 11_900 });
    expect(await invoices.pay(actor, id)).toMatchObject({ status: 'paid' });
  });

  it('are credited in their own series: what is open is due no more, what was paid becomes credit', async () => {
    const { actor, customer } = await setup();
    const lines = [
      { description: 'A', unitAmount: 10_000 },
      { description: 'B', unitAmount: 5_000, taxBehaviour: 'inclusive' },
    ];
    const { id } = await draft(actor, customer, lines);
    // 10,000 + 5,000 / 1.19 = 4,202 (4,201.68); tax 1,900 + 798
    expect(await invoices.finalise(actor, id)).toMatchObject({ net: 14_202, tax: 2_698, total: 16_900 });
    await invoices.pay(actor, id, 10_000);
    const part = { reason: 'Broken', refund: 'wallet', lines: [{ line: 1, amount: 5_000 }] } as const;
    expect(await invoices.credit(actor, id, part)).toMatchObject({
      kind: 'credit-note',
      number: 'CN-000001',
      corrects: id,
      net: 4_202,
      tax: 798,
      total: 5_000,
    });
    expect(await invoices.get(actor, id)).toMatchObject({ credited: 5_000, due: 1_900, status: 'open' });
    const rest = { reason: 'All of it', refund: 'wallet', lines: [{ line: 0, amount: 10_000 }] } as const;
    expect(await invoices.credit(actor, id, rest)).toMatchObject({ number: 'CN-000002', total: 11_900 });
    expect(await invoices.get(actor, id)).toMatchObject({ credited: 16_900, due: 0, status: 'paid' });
    expect((await wallet.get(actor, customer)).balances).toMatchObject([{ balance: 10_000 }]);
    await expect(invoices.credit(actor, id, { reason: 'More', refund: 'wallet' })).rejects.toMatchObject(refused);
  });

  it('are not made final by who has not said who they are', async () => {
    const actor = await world.tenant({ seller: null });
    const { id } = await draft(actor, (await world.customer(actor)).id);
    await expect(invoices.finalise(actor, id)).rejects.toMatchObject(refused);
  });

  it('are of one tenant', async () => {
    const { id } = await final();
    const rival = await world.tenant();
    for (const act of [invoices.get, invoices.finalise, invoices.pay, invoices.void, invoices.giveUp]) {
      await expect(act(rival, id)).rejects.toMatchObject({ code: 'not-found' });
    }
  });
});
