import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOmniError } from '../../kernel/errors.ts';
import type { Money } from '../../kernel/money.ts';
import type { CreatePayment, DeclineCode, Gateway, GatewayPayment } from './gateway.ts';

/** What the provider's server is told to do with the next request of an operation. */
export type Fault =
  /** A 5xx without any effect. */
  | 'fail'
  /** No answer and no effect. */
  | 'stall'
  /** The effect, but no answer. */
  | 'lose-answer'
  /** 429 with `Retry-After: 7`. */
  | 'rate-limit'
  /** What is no answer of this provider. */
  | 'nonsense';

export type Operation = 'create' | 'confirm' | 'capture' | 'cancel' | 'refund' | 'retrieve' | 'find';

/** What the provider's books say of one payment. */
export interface BookedPayment {
  readonly captured: Money;
  readonly refunded: Money;
}

/** An adapter over its provider's local server. */
export interface GatewayHarness {
  /** A new one has no memory of the calls before it, as another instance of a function. Its requests time out in about 0.5 s. */
  readonly connect: () => Gateway;
  /** A currency and an amount that work, with whose cents everything is paid. */
  readonly amount: Money;
  /** Where the gateway departs from ISO 4217, or takes no decimals: amounts of ours, and what its server is to be sent. */
  readonly minorUnits: readonly { readonly amount: Money; readonly sent: number | string }[];
  /** An amount that can't be said exactly at this gateway, where there is one. */
  readonly inexact?: Money;
  /** Means of payment: one that works, and those that are declined with a code. */
  readonly method?: string;
  readonly declines: Partial<Record<DeclineCode, string>>;
  /** Does at the provider what the payer has to, until it is theirs no more. */
  readonly act: (payment: GatewayPayment) => Promise<void>;
  /** Sees to it that the next request of an operation goes wrong. Undefined where this can't happen at the provider. */
  readonly fault: (operation: Operation, fault: Fault) => void;
  /** Operations that make no request, as where an address is derived here. Faults are not tried on them. */
  readonly offline?: readonly Operation[];
  /** All payments at the provider that carry our id. */
  readonly booked: (payment: string) => Promise<readonly BookedPayment[]>;
  /** The amount that the server was sent for a payment, in the provider's own form. */
  readonly sent: (payment: string) => Promise<number | string | undefined>;
  /** Webhooks that the provider has sent of a payment so far, with the id that they are about. */
  readonly webhooks: (
    payment: GatewayPayment,
  ) => Promise<readonly { readonly type: string; readonly object: Readonly<Record<string, unknown>> }[]>;
  /** Who the credentials are of. */
  readonly account: string;
  readonly stop: () => Promise<void>;
}

let last = 0;
const nextId = (kind: string): string => {
  last += 1;
  return `${kind}_contract${last}x${process.pid}`;
};

/** What every payment gateway does. */
export const gatewayContract = (name: string, start: () => Promise<GatewayHarness>): void => {
  describe(`the gateway contract: ${name}`, () => {
    let harness: GatewayHarness;
    let gateway: Gateway;
    beforeAll(async () => {
      harness = await start();
      gateway = harness.connect();
    });
    afterAll(() => harness.stop());

    const asked = (change: Partial<CreatePayment> = {}): CreatePayment => ({
      payment: nextId('pay'),
      tenant: 'acme',
      amount: harness.amount,
      capture: 'automatic',
      offSession: false,
      returnUrl: 'https://app.example.com/done',
      ...(harness.method === undefined ? {} : { paymentMethod: harness.method }),
      ...change,
    });
    const reload = async (reference: string): Promise<GatewayPayment> => {
      const found = await gateway.retrieve(reference);
      if (found === undefined) throw new Error(`There is no ${reference}.`);
      return found;
    };
    /** As far as it goes: created, and where the payer has to act, acted and confirmed. */
    const completed = async (request: CreatePayment): Promise<GatewayPayment> => {
      const made = await gateway.create(request, request.payment);
      if (made.status !== 'requires-action') return made;
      await harness.act(made);
      await gateway.confirm(made.reference, `${request.payment}:confirm`);
      return reload(made.reference);
    };
    const half = (): Money => ({ ...harness.amount, amount: Math.floor(harness.amount.amount / 2) });
    const refundOf = (amount: Money) => ({ refund: nextId('ref'), amount, reason: 'requested-by-customer' as const });
    const booked = async (payment: string) => (await harness.booked(payment))[0];
    const can = (operation: Operation): boolean => !(harness.offline ?? []).includes(operation);

    it('captures a payment, and the provider has it once under our id', async () => {
      const request = asked();
      const payment = await completed(request);
      expect(payment).toMatchObject({
        payment: request.payment,
        status: 'captured',
        amount: harness.amount,
        captured: harness.amount,
        livemode: gateway.livemode,
        refunds: [],
        disputes: [],
      });
      expect(await harness.booked(request.payment)).toMatchObject([{ captured: harness.amount }]);
    });

    it('tells a payment by its own reference and by ours alike', async () => {
      const request = asked();
      const payment = await completed(request);
      expect(await gateway.retrieve(payment.reference)).toEqual(await reload(payment.reference));
      if (gateway.capabilities.lookupByOwnReference) {
        expect(await gateway.find(request.payment)).toMatchObject({ reference: payment.reference, status: 'captured' });
      }
    });

    it('says of what is not there that it is not', async () => {
      expect(await gateway.find(nextId('pay'))).toBeUndefined();
      const { reference } = await gateway.create(asked(), nextId('key'));
      const other = `${reference.slice(0, -4)}${reference.endsWith('0000') ? '1111' : '0000'}`;
      expect(await gateway.retrieve(other)).toBeUndefined();
    });

    it('holds an amount, and captures it later', async (context) => {
      if (!gateway.capabilities.manualCapture) return context.skip();
      const request = asked({ capture: 'manual' });
      const held = await completed(request);
      expect(held).toMatchObject({ status: 'authorised', captured: { ...harness.amount, amount: 0 } });
      await gateway.capture(held.reference, undefined, `${request.payment}:capture`);
      expect(await reload(held.reference)).toMatchObject({ status: 'captured', captured: harness.amount });
      expect(await booked(request.payment)).toMatchObject({ captured: harness.amount });
    });

    it('captures a part of what it holds', async (context) => {
      if (!gateway.capabilities.partialCapture) return context.skip();
      const request = asked({ capture: 'manual' });
      const held = await completed(request);
      await gateway.capture(held.reference, half(), `${request.payment}:capture`);
      expect(await reload(held.reference)).toMatchObject({ status: 'captured', captured: half() });
      expect(await booked(request.payment)).toMatchObject({ captured: half() });
    });

    it('captures no more than it holds, and nothing that it does not', async (context) => {
      if (!gateway.capabilities.manualCapture) return context.skip();
      const held = await completed(asked({ capture: 'manual' }));
      const more = { ...harness.amount, amount: harness.amount.amount * 2 };
      const refused = { code: expect.stringMatching(/^(invalid-request|precondition-failed)$/) };
      if (gateway.capabilities.partialCapture) {
        await expect(gateway.capture(held.reference, more, nextId('key'))).rejects.toMatchObject(refused);
      }
      const done = await completed(asked());
      await expect(gateway.capture(done.reference, undefined, nextId('key'))).rejects.toMatchObject(refused);
    });

    it('gives up what it holds', async (context) => {
      if (!gateway.capabilities.manualCapture) return context.skip();
      const request = asked({ capture: 'manual' });
      const held = await completed(request);
      await gateway.cancel(held.reference, `${request.payment}:cancel`);
      expect(await reload(held.reference)).toMatchObject({ status: 'canceled' });
      expect((await booked(request.payment))?.captured.amount ?? 0).toBe(0);
      await expect(gateway.capture(held.reference, undefined, nextId('key'))).rejects.toMatchObject({
        code: expect.stringMatching(/^(invalid-request|precondition-failed)$/),
      });
    });

    it('refunds in parts, each once, and never more than there is', async (context) => {
      if (!gateway.capabilities.partialRefund) return context.skip();
      const request = asked();
      const { reference } = await completed(request);
      const [first, second] = [refundOf(half()), refundOf(half())];
      expect(await gateway.refund(reference, first, first.refund)).toMatchObject({ amount: half() });
      await gateway.refund(reference, first, first.refund);
      await gateway.refund(reference, second, second.refund);
      const over = refundOf(half());
      await expect(gateway.refund(reference, over, over.refund)).rejects.toMatchObject({
        code: expect.stringMatching(/^(invalid-request|precondition-failed)$/),
      });
      const { refunds } = await reload(reference);
      expect(refunds).toHaveLength(2);
      expect(refunds.map(({ amount }) => amount)).toEqual([half(), half()]);
      expect((await booked(request.payment))?.refunded.amount).toBe(half().amount * 2);
    });

    it('does what is asked again with the same key once', async () => {
      const request = asked();
      const [one, two] = [
        await gateway.create(request, request.payment),
        await gateway.create(request, request.payment),
      ];
      expect(two.reference).toBe(one.reference);
      expect(await harness.booked(request.payment)).toHaveLength(1);
    });

    it('makes one payment of twenty calls at once with one key, by two instances', async () => {
      const request = asked();
      const instances = [harness.connect(), harness.connect()];
      const all = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => (instances[i % 2] ?? gateway).create(request, request.payment)),
      );
      const references = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value.reference] : []));
      expect(new Set(references).size).toBe(1);
      for (const one of all) {
        if (one.status === 'rejected')
          expect(one.reason).toMatchObject({ code: expect.stringMatching(/^(unavailable|rate-limited)$/) });
      }
      expect(await harness.booked(request.payment)).toHaveLength(1);
    });

    it('is not charged twice when the answer is lost after the effect, and the call is repeated', async (context) => {
      if (!can('create')) return context.skip();
      const request = asked();
      harness.fault('create', 'lose-answer');
      const first = await gateway.create(request, request.payment).catch((error: unknown) => error);
      if (first instanceof Error) expect(first).toMatchObject({ code: 'unavailable' });
      const again = await harness.connect().create(request, request.payment);
      expect(await harness.booked(request.payment)).toHaveLength(1);
      expect(again.payment).toBe(request.payment);
    });

    it('can be asked what became of a call whose answer was lost', async (context) => {
      if (!can('create') || !gateway.capabilities.lookupByOwnReference) return context.skip();
      const request = asked();
      harness.fault('create', 'lose-answer');
      await gateway.create(request, request.payment).catch(() => undefined);
      expect(await gateway.find(request.payment)).toMatchObject({ payment: request.payment, amount: harness.amount });
    });

    it('refunds once when the answer is lost after the effect', async (context) => {
      if (!can('refund') || !gateway.capabilities.partialRefund) return context.skip();
      const request = asked();
      const { reference } = await completed(request);
      const refund = refundOf(half());
      harness.fault('refund', 'lose-answer');
      await gateway.refund(reference, refund, refund.refund).catch(() => undefined);
      await harness.connect().refund(reference, refund, refund.refund);
      expect((await booked(request.payment))?.refunded).toEqual(half());
    });

    it.each(['fail', 'stall', 'nonsense'] as const)(
      'says `unavailable` of a server that does this: %s',
      async (fault) => {
        const { reference } = await completed(asked());
        const patient = harness.connect();
        if (can('retrieve')) {
          for (let i = 0; i < 3; i += 1) harness.fault('retrieve', fault);
          await expect(patient.retrieve(reference)).rejects.toMatchObject({ code: 'unavailable' });
          // What is left of the faults is used up, so that the next test finds none.
          for (let i = 0; i < 3; i += 1)
            await harness
              .connect()
              .retrieve(reference)
              .catch(() => undefined);
        }
      },
    );

    it('passes on how long a provider wants to be left alone', async (context) => {
      if (!can('retrieve')) return context.skip();
      const { reference } = await completed(asked());
      const other = harness.connect();
      for (let i = 0; i < 3; i += 1) harness.fault('retrieve', 'rate-limit');
      const error: unknown = await other.retrieve(reference).catch((thrown: unknown) => thrown);
      for (let i = 0; i < 3; i += 1)
        await harness
          .connect()
          .retrieve(reference)
          .catch(() => undefined);
      expect(isOmniError(error, 'rate-limited') && error.retryAfter).toBeGreaterThan(0);
      expect(other.status().healthy).toBe(false);
    });

    it('tells declines in terms that are the same for all', async (context) => {
      const all = Object.entries(harness.declines);
      if (all.length === 0) return context.skip();
      for (const [decline, paymentMethod] of all) {
        const offSession = decline === 'authentication-required';
        const request = asked({ paymentMethod, offSession });
        const payment = await completed(request);
        expect(payment).toMatchObject({ status: 'failed', decline });
        expect((await booked(request.payment))?.captured.amount ?? 0).toBe(0);
      }
    });

    it('sends amounts in the units of its provider, and reads them back as ours', async () => {
      for (const { amount, sent } of harness.minorUnits) {
        const request = asked({ amount });
        expect(gateway.capabilities.currencies.has(amount.currency)).toBe(true);
        const payment = await gateway.create(request, request.payment);
        expect(payment.amount).toEqual(amount);
        expect(await harness.sent(request.payment)).toEqual(sent);
      }
    });

    it('refuses what can not be said exactly in them, and currencies that it does not take', async () => {
      const { inexact } = harness;
      if (inexact !== undefined) {
        await expect(gateway.create(asked({ amount: inexact }), nextId('key'))).rejects.toMatchObject({
          code: 'invalid-request',
        });
      }
      const request = asked({ amount: { amount: 1_000, currency: 'KPW' } });
      expect(gateway.capabilities.currencies.has('KPW')).toBe(false);
      await expect(gateway.create(request, nextId('key'))).rejects.toMatchObject({ code: 'invalid-request' });
      expect(await harness.booked(request.payment)).toEqual([]);
    });

    it('makes of its webhooks what is to be looked at again', async () => {
      const payment = await completed(asked());
      const webhooks = await harness.webhooks(payment);
      expect(webhooks.length).toBeGreaterThan(0);
      const actions = webhooks.map(({ type, object }) => gateway.actionOf(type, object));
      expect(actions).toContainEqual({ kind: 'refresh-payment', reference: payment.reference });
      expect(gateway.actionOf('nothing.of.ours', {})).toEqual({ kind: 'ignore' });
      expect(gateway.actionOf(webhooks[0]?.type ?? '', { id: 7, object: null })).toEqual({ kind: 'ignore' });
    });

    it('knows whose its credentials are', async () => {
      expect(await gateway.account()).toEqual({ id: harness.account, livemode: gateway.livemode });
    });

    it('lists what was made since a time, where it has a list', async (context) => {
      if (gateway.list === undefined) return context.skip();
      const payment = await completed(asked());
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await gateway.list('2020-01-01T00:00:00.000Z', cursor);
        found.push(...page.items.map(({ reference }) => reference));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(found).toContain(payment.reference);
    });
  });
};
