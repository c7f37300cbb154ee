import { describe, expect, it } from 'vitest';
import { newId } from '../../kernel/ids.ts';
import { money } from '../../kernel/money.ts';
import type { ChargeRequest, ChargeSources, Charges } from './charges.ts';

/** What a suite needs to know of the means of payment under test. */
export interface ChargesUnderTest {
  readonly charges: Charges;
  readonly tenant: string;
  /** Customers whose charges end so. */
  readonly customers: {
    readonly good: string;
    readonly broke: string;
    /** Whose bank asks them, where they are there. */
    readonly asked: string;
  };
  readonly sourcesOf: (customer: string) => ChargeSources;
  /** How many charges were really made. */
  readonly count: () => Promise<number> | number;
}

/** The promises of `Charges`, for every adapter. */
export const chargesContract = (name: string, open: () => Promise<ChargesUnderTest> | ChargesUnderTest): void => {
  describe(`charges by ${name}`, () => {
    const setup = async () => {
      const under = await open();
      const request = (change: Partial<ChargeRequest> = {}): ChargeRequest => {
        const { customer = under.customers.good } = change;
        return {
          tenant: under.tenant,
          reference: newId('ref'),
          amount: money(2_900, 'EUR'),
          customer,
          sources: under.sourcesOf(customer),
          offSession: true,
          ...change,
        };
      };
      return { ...under, request };
    };

    it('take the amount once for a reference, however often it is asked for', async () => {
      const { charges, request, count } = await setup();
      const before = await count();
      const one = request();
      const first = await charges.charge(one);
      expect(first).toMatchObject({ status: 'succeeded', payment: expect.any(String) });
      expect(await charges.charge(one)).toEqual(first);
      expect((await count()) - before).toBe(1);
    });

    it('take it once of twenty at once', async () => {
      const { charges, request, count } = await setup();
      const before = await count();
      const one = request();
      const all = await Promise.all(Array.from({ length: 20 }, () => charges.charge(one)));
      const { payment: made } = await charges.charge(one);
      expect(await charges.charge(one)).toMatchObject({ status: 'succeeded', payment: made });
      // Those that came while it was being made do not know it yet.
      for (const { status, payment } of all) expect([made, null]).toContain(status === 'pending' ? null : payment);
      expect((await count()) - before).toBe(1);
    });

    it('are others for another reference', async () => {
      const { charges, request } = await setup();
      const [a, b] = [await charges.charge(request()), await charges.charge(request())];
      expect(a.payment).not.toBe(b.payment);
    });

    it('say why they failed, in terms that are the same for all', async () => {
      const { charges, request, customers } = await setup();
      const result = await charges.charge(request({ customer: customers.broke }));
      expect(result).toMatchObject({ status: 'failed', decline: expect.stringMatching(/^[a-z-]+$/) });
    });

    it('refuse a reference that came with something else', async () => {
      const { charges, request } = await setup();
      const one = request();
      await charges.charge(one);
      await expect(charges.charge({ ...one, amount: money(1, 'EUR') })).rejects.toMatchObject({
        code: 'idempotency-mismatch',
      });
    });

    it('are the same whatever way they are asked for the second time', async () => {
      const { charges, request, count } = await setup();
      const before = await count();
      const one = request();
      const first = await charges.charge(one);
      const again = { ...one, sources: [], offSession: false, returnUrl: 'https://app.example.com/' };
      expect(await charges.charge(again)).toEqual(first);
      expect(await charges.find(one.tenant, one.reference)).toEqual(first);
      expect(await charges.find(one.tenant, newId('ref'))).toBeUndefined();
      expect((await count()) - before).toBe(1);
    });

    it('wait for a customer who has to act, until they are given up, and then never succeed', async () => {
      const { charges, request, customers } = await setup();
      const one = request({ customer: customers.asked, offSession: false });
      const asked = await charges.charge(one);
      expect(asked).toMatchObject({ status: 'needs-action', action: { kind: 'redirect' } });
      expect(await charges.charge(one)).toEqual(asked);
      expect(await charges.cancel(one.tenant, one.reference)).toMatchObject({ status: 'failed' });
      expect(await charges.charge(one)).toMatchObject({ status: 'failed', payment: asked.payment });
    });

    it('stay what they are where they are given up too late', async () => {
      const { charges, request } = await setup();
      const one = request();
      const first = await charges.charge(one);
      expect(await charges.cancel(one.tenant, one.reference)).toEqual(first);
      expect(await charges.cancel(one.tenant, newId('ref'))).toBeUndefined();
    });

    it('pay back a part, once for each name it is asked by, and never more than was taken', async () => {
      const { charges, request } = await setup();
      const one = request();
      await charges.charge(one);
      const { tenant, reference } = one;
      const refund = (name: string, amount: number) =>
        charges.refund({ tenant, reference, refund: name, amount: money(amount, 'EUR') });
      expect(await refund('rfd_1', 1_000)).toEqual({ status: 'succeeded' });
      expect(await refund('rfd_1', 1_000)).toEqual({ status: 'succeeded' });
      expect(await charges.find(tenant, reference)).toMatchObject({ captured: 2_900, refunded: 1_000 });
      expect(await refund('rfd_2', 1_901)).toEqual({ status: 'failed' });
      expect(await refund('rfd_3', 1_900)).toEqual({ status: 'succeeded' });
      expect(await charges.find(tenant, reference)).toMatchObject({ captured: 2_900, refunded: 2_900 });
      await expect(refund('rfd_1', 999)).rejects.toMatchObject({ code: 'idempotency-mismatch' });
    });

    it('pay nothing back of a charge that was never made', async () => {
      const { charges, tenant } = await setup();
      const nothing = { tenant, reference: newId('ref'), refund: 'rfd_1', amount: money(1, 'EUR') };
      expect(await charges.refund(nothing)).toEqual({ status: 'failed' });
    });

    it('refuse to take nothing', async () => {
      const { charges, request } = await setup();
      await expect(charges.charge(request({ amount: money(0, 'EUR') }))).rejects.toMatchObject({
        code: 'invalid-request',
      });
    });
  });
};
