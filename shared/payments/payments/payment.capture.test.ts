import { afterAll, describe, expect, it } from 'vitest';
import { acme, asked, type PaymentWorldOptions, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());

const held = async (change: object = {}, options: Partial<PaymentWorldOptions> = {}) => {
  const account = sandbox.open();
  const database = databaseOn(embeddedDriver(), { now: clock.now });
  const world = paymentWorld({ database, clock, sandbox, ...options });
  await world.connect(account.secretKey);
  const { id } = await world.paymentService.create(acme, asked({ capture: 'manual', ...change }));
  const captured = (amount?: number) => world.paymentService.capture(acme, id, amount);
  return { ...world, id, captured };
};
const refused = { code: 'precondition-failed' };

describe('a capture that the gateway refuses', () => {
  it('leaves another amount to be captured, and the same one too', async () => {
    for (const next of [1_500, 2_000]) {
      const { captured } = await held();
      sandbox.fail({ on: 'capture', kind: 'rate-limit', retryAfter: 5 });
      await expect(captured(2_000)).rejects.toMatchObject({ code: 'rate-limited' });
      clock.advance(6_000);
      expect(await captured(next)).toMatchObject({ status: 'captured', captured: next });
    }
  });

  it('keeps others out while an earlier call may still have its effect', async () => {
    const { captured } = await held();
    sandbox.fail({ on: 'capture', kind: 'fail' }, { on: 'capture', kind: 'rate-limit', retryAfter: 5 });
    await expect(captured(2_000)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(captured(2_000)).rejects.toMatchObject({ code: 'rate-limited' });
    await expect(captured(1_500)).rejects.toMatchObject(refused);
    clock.advance(3_601_000);
    sandbox.fail({ on: 'capture', kind: 'rate-limit', retryAfter: 5 });
    await expect(captured(2_000)).rejects.toMatchObject({ code: 'rate-limited' });
    clock.advance(6_000);
    expect(await captured(1_500)).toMatchObject({ status: 'captured', captured: 1_500 });
  });
});

describe('a capture that the gateway can not make', () => {
  it('is not asked of it: a part where it takes all or nothing', async () => {
    const { captured } = await held(
      {},
      {
        named: (_name, gateway) => ({ ...gateway, capabilities: { ...gateway.capabilities, partialCapture: false } }),
      },
    );
    await expect(captured(2_000)).rejects.toMatchObject(refused);
    expect(await captured()).toMatchObject({ status: 'captured', captured: 2_500 });
  });

  it('is not asked of it: an amount that it has no digits for', async () => {
    const { captured } = await held({ currency: 'HUF', amount: 250_000 });
    await expect(captured(100_050)).rejects.toMatchObject(refused);
    expect(await captured(100_000)).toMatchObject({ status: 'captured', captured: 100_000 });
  });
});
