import { afterAll, describe, expect, it } from 'vitest';
import { acme, asked, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';
import { refreshDue } from '../payments/payment.events.ts';
import { refreshDuePayment } from '../payments/payment.jobs.ts';
import { gatewayAccountCollection } from './gateway-account.schema.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());

const connected = async () => {
  const database = databaseOn(embeddedDriver(), { now: clock.now });
  const world = paymentWorld({ database, clock, sandbox });
  await world.connect(sandbox.open().secretKey);
  const pay = (change: object = {}) => world.paymentService.create(acme, asked(change));
  return { ...world, database, pay };
};

describe('an account at a gateway', () => {
  it('is not removed while payments are open there, and says how many', async () => {
    const { gatewayAccounts, paymentService, pay } = await connected();
    await pay();
    const open = [await pay({ sources: [] }), await pay({ capture: 'manual' })];
    const remove = () => gatewayAccounts.remove(acme, 'acmepay-test');
    await expect(remove()).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('2 payments are still open'),
    });
    expect(await gatewayAccounts.list(acme)).toHaveLength(1);
    for (const { id } of open) await paymentService.cancel(acme, id);
    await remove();
    expect(await gatewayAccounts.list(acme)).toEqual([]);
  });

  it('leaves no payment that is looked at in vain, where it is gone all the same', async () => {
    const { database, pay, run, makeEvent, watches } = await connected();
    const { id } = await pay({ sources: [] });
    await database.tenants(gatewayAccountCollection).of('acme').delete('acmepay-test');
    const due = makeEvent(refreshDue, { tenant: 'acme', subject: id, data: { payment: id } });
    expect(await run(refreshDuePayment, due)).toBe('done');
    expect((await watches.query({ limit: 5 })).items).toEqual([]);
  });
});
