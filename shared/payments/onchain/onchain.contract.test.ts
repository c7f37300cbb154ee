import { testXpub, usdc } from '#tests/support/onchain.ts';
import { startRatesServer } from '#tests/support/rates-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { gatewayContract } from '../gateways/gateway.contract.ts';
import { chainsOf } from './chains.ts';
import { openWallet } from './derivation.ts';
import { afterReading, invoiceId } from './onchain.state.ts';
import { createOnchain } from './onchain.ts';
import { coinbaseRates } from './rates.ts';

/** A chain of two nodes that nobody asks here: what came is told to the invoice as the jobs do. */
gatewayContract('a chain', async () => {
  const clock = manualClock();
  const prices = await startRatesServer();
  const database = databaseOn(embeddedDriver(), { now: clock.now });
  const chains = chainsOf(['sepolia=https://a.example', 'sepolia=https://b.example']);
  const open = () =>
    createOnchain({ database, chains, rates: coinbaseRates({ baseUrl: prices.baseUrl, clock, timeout: 0.5 }), clock });
  const { invoices } = open();
  const of = async (payment: string) => (await invoices.of('acme').get(invoiceId(payment)))?.value;
  let blocks = 0;
  return {
    connect: () => open().gateway({ credentials: { xpub: testXpub }, livemode: false, tenant: 'acme' }),
    amount: money(2_500, 'USD'),
    method: 'USDC-sepolia',
    minorUnits: [
      { amount: money(1_050, 'USD'), sent: '10500000' },
      { amount: money(500, 'JPY'), sent: '3333334' },
      { amount: money(1_234, 'KWD'), sent: '4113334' },
    ],
    declines: {},
    act: async ({ reference }) => {
      const stored = await invoices.of('acme').get(reference);
      if (stored === undefined) throw new Error('There is no invoice.');
      blocks += 1;
      const transaction = `0x${blocks.toString(16).padStart(64, '0')}` as const;
      const arrival = {
        id: `${transaction}-0`,
        transaction,
        block: blocks,
        at: clock.now(),
        from: usdc,
        token: 'USDC',
      } as const;
      const arrived = [{ ...arrival, units: stored.value.units, currency: 'USD', decimals: 6 }];
      const next = afterReading(stored.value, { arrived, seen: [], closes: false }, clock.now());
      await invoices.of('acme').update(reference, next, { revision: stored.revision });
    },
    fault: () => {},
    offline: ['create', 'confirm', 'capture', 'cancel', 'refund', 'retrieve', 'find'],
    booked: async (payment) => {
      const invoice = await of(payment);
      if (invoice === undefined) return [];
      const came = invoice.transfers.reduce((total, { units }) => total + BigInt(units), 0n);
      const refunded = invoice.refunds.reduce((total, { amount }) => total + amount, 0);
      const { amount, currency, units } = invoice;
      const captured = came >= BigInt(units) ? amount : 0;
      return [{ captured: money(captured, currency), refunded: money(refunded, currency) }];
    },
    sent: async (payment) => (await of(payment))?.units,
    webhooks: async ({ reference }) => [{ type: 'onchain.invoice.changed', object: { invoice: reference } }],
    account: (await openWallet(testXpub)).id,
    stop: prices.stop,
  };
});
