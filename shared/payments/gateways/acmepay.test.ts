import { describe, expect, it } from 'vitest';
import { manualClock } from '../../kernel/clock.ts';
import type { Money } from '../../kernel/money.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';
import { acmePay } from './acmepay.ts';
import { gatewayContract } from './gateway.contract.ts';

const clock = manualClock();

const start = async () => {
  const sandbox = await startAcmePaySandbox({ clock });
  const account = sandbox.open();
  const connect = () =>
    acmePay({ baseUrl: sandbox.baseUrl, secretKey: account.secretKey, livemode: false, clock, timeout: 0.5 });
  return { sandbox, account, connect };
};

gatewayContract('AcmePay', async () => {
  const { sandbox, account, connect } = await start();
  const { engine } = sandbox;
  const of = (payment: string) => engine.list(account, 0).filter(({ reference }) => reference === payment);
  const money = (amount: number, currency: string): Money => ({ amount, currency });
  return {
    connect,
    amount: money(2_500, 'EUR'),
    method: 'pm_card_ok',
    minorUnits: [
      { amount: money(1_050, 'USD'), sent: 1_050 },
      { amount: money(500, 'JPY'), sent: 500 },
      { amount: money(1_234, 'KWD'), sent: 1_234 },
      { amount: money(120_000, 'HUF'), sent: 1_200 },
    ],
    inexact: money(120_050, 'HUF'),
    declines: {
      'card-declined': 'pm_card_declined',
      'insufficient-funds': 'pm_card_insufficient_funds',
      'expired-card': 'pm_card_expired',
      'suspected-fraud': 'pm_card_fraud',
      'limit-exceeded': 'pm_card_limit',
      'processing-error': 'pm_card_error',
      'invalid-payment-method': 'pm_nobody',
      'authentication-required': 'pm_card_challenge',
    },
    act: async ({ reference }) => {
      engine.act(reference, 'approve');
    },
    fault: (on, kind) => sandbox.fail({ on, kind, retryAfter: 7 }),
    booked: async (payment) =>
      of(payment).map(({ amount_captured, refunds, currency }) => ({
        captured: money(amount_captured, currency),
        refunded: money(
          refunds.reduce((total, { amount }) => total + amount, 0),
          currency,
        ),
      })),
    sent: async (payment) => of(payment)[0]?.amount,
    webhooks: async ({ reference }) =>
      engine
        .events(account)
        .filter(({ data }) => data.object.id === reference)
        .map(({ type, data }) => ({ type, object: data.object })),
    account: account.id,
    stop: sandbox.stop,
  };
});

describe('AcmePay', async () => {
  const { sandbox, account, connect } = await start();
  const gateway = connect();
  const asked = {
    tenant: 'acme',
    amount: { amount: 900, currency: 'EUR' },
    capture: 'automatic',
    offSession: false,
  } as const;

  it("sends the payer to a page, where a card is given and the bank's challenge passed", async () => {
    const returnUrl = 'https://app.example.com/done';
    const made = await gateway.create({ ...asked, payment: 'pay_page', returnUrl }, 'pay_page');
    expect(made).toMatchObject({ status: 'requires-action', nextAction: { kind: 'redirect' } });
    const url = made.nextAction?.kind === 'redirect' ? made.nextAction.url : '';
    const post = (form: Record<string, string>) =>
      fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
    expect(await (await fetch(url)).text()).toContain('Pay 9.00 EUR');
    expect(await (await post({ action: 'pay', card: '4000000000003220' })).text()).toContain('Is it you?');
    const back = await post({ action: 'approve' });
    expect([back.status, back.headers.get('location')]).toEqual([303, `${returnUrl}?payment=pay_page`]);
    expect(await gateway.retrieve(made.reference)).toMatchObject({ status: 'captured', fee: { amount: 38 } });
  });

  it('fails where the challenge is not passed', async () => {
    const made = await gateway.create(
      { ...asked, payment: 'pay_deny', paymentMethod: 'pm_card_challenge' },
      'pay_deny',
    );
    sandbox.engine.act(made.reference, 'deny');
    expect(await gateway.retrieve(made.reference)).toMatchObject({
      status: 'failed',
      decline: 'authentication-failed',
    });
  });

  it('settles a debit later', async () => {
    const made = await gateway.create({ ...asked, payment: 'pay_slow', paymentMethod: 'pm_card_delayed' }, 'pay_slow');
    expect(made.status).toBe('pending');
    clock.advance(61_000);
    expect(await gateway.retrieve(made.reference)).toMatchObject({ status: 'captured' });
  });

  it('is called no more while it is down, and again after a while', async () => {
    const down = connect();
    for (let i = 0; i < 5; i += 1) {
      sandbox.fail({ on: 'retrieve', kind: 'fail' });
      await expect(down.retrieve('acp_1')).rejects.toMatchObject({ code: 'unavailable' });
    }
    const before = sandbox.requests.length;
    await expect(down.retrieve('acp_1')).rejects.toMatchObject({ code: 'unavailable' });
    expect([sandbox.requests.length, down.status().healthy]).toEqual([before, false]);
    clock.advance(30_001);
    expect(await down.retrieve('acp_1')).toBeUndefined();
    expect(down.status().healthy).toBe(true);
  });

  it('refuses keys that are wrong, or for browsers', async () => {
    for (const secretKey of ['ak_test_nobody', account.publishableKey]) {
      const stranger = acmePay({ baseUrl: sandbox.baseUrl, secretKey, livemode: false, clock });
      await expect(stranger.account()).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  it('ends with its sandbox', async () => {
    await sandbox.stop();
    await expect(gateway.account()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
