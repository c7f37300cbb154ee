import { afterAll, describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { acme, type PaymentWorldOptions, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { money } from '../../kernel/money.ts';
import { startAcmePaySandbox } from '../../payments/acmepay-sandbox/acmepay-sandbox.ts';
import { accountWithId, naturalSign } from '../../payments/ledger/chart.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { booksContract } from './books.contract.ts';
import { chargesContract } from './charges.contract.ts';
import { ledgerBooks, ledgerNames } from './ledger-books.ts';
import { paymentCharges } from './payment-charges.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());

const cards: Readonly<Record<string, string>> = {
  cus_good: 'pm_card_ok',
  cus_broke: 'pm_card_insufficient_funds',
  cus_asked: 'pm_card_challenge',
};
const sourcesOf = (customer: string) => [{ gateway: 'acmepay' as const, paymentMethod: cards[customer] ?? '' }];

/** Payments of a sandbox tenant that has an account at AcmePay's sandbox. */
const open = async (change: Partial<PaymentWorldOptions> = {}) => {
  const database = change.database ?? testDatabase();
  const account = sandbox.open();
  const world = paymentWorld({ database, clock, sandbox, isSandbox: true, timeout: 2, ...change });
  await world.connect(account.secretKey);
  const charges = paymentCharges({ payments: async () => world.paymentService });
  const captured = () => sandbox.engine.list(account, 0).filter(({ status }) => status === 'captured').length;
  return { ...world, charges, account, captured };
};

const firestore = await open({ timeout: 10 });
chargesContract('payments through AcmePay, on Firestore', () => ({
  charges: firestore.charges,
  tenant: acme.tenant,
  customers: { good: 'cus_good', broke: 'cus_broke', asked: 'cus_asked' },
  sourcesOf,
  count: firestore.captured,
}));

booksContract('the ledger, on Firestore', () => ({
  books: ledgerBooks({ ledger: async () => firestore.ledger, isSandbox: async () => true }),
  tenant: acme.tenant,
  debitOf: async (account, currency) => {
    const id = `test:${ledgerNames[account]}@${currency}`;
    const sign = naturalSign(accountWithId(id).type);
    return sign * (await firestore.ledger.balance(acme, id).catch(() => 0));
  },
}));

describe('charges through payments', () => {
  const request = (customer: string, change: object = {}) => ({
    tenant: acme.tenant,
    reference: newId('ref'),
    amount: money(2_900, 'EUR'),
    customer,
    sources: sourcesOf(customer),
    offSession: true,
    ...change,
  });

  it.each(['lose-answer', 'stall-after', 'fail', 'stall'] as const)(
    'take it once where the gateway’s answer is in doubt (%s)',
    async (kind) => {
      const { charges, captured, paymentService } = await open({ database: embeddedDatabase({ now: clock.now }) });
      const one = request('cus_good');
      sandbox.fail({ on: 'create', kind }, { on: '*', kind: 'fail' });
      const first = await charges.charge(one);
      expect(first.status).toBe('pending');
      clock.advance(120_000);
      // The same is asked again, by two workers, until it is known.
      await Promise.all([charges.charge(one), charges.charge(one)]);
      clock.advance(120_000);
      expect(await charges.charge(one)).toMatchObject({ status: 'succeeded', payment: expect.any(String) });
      expect(captured()).toBe(1);
      expect(await paymentService.find(acme, one.reference)).toMatchObject({ captured: 2_900, mode: 'test' });
    },
    30_000,
  );

  it('say that the customer has to be there, where their bank wants it', async () => {
    const { charges } = await open({ database: embeddedDatabase({ now: clock.now }) });
    expect(await charges.charge(request('cus_asked'))).toMatchObject({
      status: 'failed',
      decline: 'authentication-required',
    });
  });

  it('ask the gateway for a means of payment where there is none and the customer is there', async () => {
    const { charges, account } = await open({ database: embeddedDatabase({ now: clock.now }) });
    const none = request('cus_new', { sources: [] });
    expect(await charges.charge(none)).toEqual({ status: 'failed', payment: null, decline: 'no-payment-method' });
    const there = { ...none, offSession: false, returnUrl: 'https://app.example.com/' };
    expect(await charges.charge(there)).toMatchObject({ status: 'needs-action', action: { kind: 'redirect' } });
    const [payment] = sandbox.engine.list(account, 0);
    sandbox.engine.act(payment?.id ?? '', { card: 'pm_card_ok' });
    expect(await charges.cancel(none.tenant, none.reference)).toMatchObject({ status: 'succeeded' });
  });

  it('fail for good where no gateway of the tenant takes it', async () => {
    const { charges, account } = await open({ database: embeddedDatabase({ now: clock.now }) });
    const stripe = [{ gateway: 'stripe' as const, customer: 'cus_1' }];
    const result = await charges.charge(request('cus_good', { sources: stripe }));
    expect(result).toEqual({ status: 'failed', payment: null, decline: 'no-gateway' });
    expect(sandbox.engine.list(account, 0)).toEqual([]);
  });
});
