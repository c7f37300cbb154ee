import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { Gateway, GatewayPayment } from '../gateways/gateway.ts';
import { isExact } from '../routing/route.ts';
import { refusals, settledAfter } from './payment.driver.ts';
import { type Payment, type PaymentView, paymentViewSchema } from './payment.schema.ts';

export interface CaptureOptions {
  readonly payments: TenantStore<Payment>;
  readonly find: (tenant: string, id: string) => Promise<Stored<Payment>>;
  readonly ofGateway: (
    tenant: string,
    id: string,
  ) => Promise<{ readonly stored: Stored<Payment>; readonly gateway: Gateway; readonly reference: string }>;
  readonly unlessDone: (
    call: () => Promise<GatewayPayment>,
    of: { tenant: string; id: string; isDone: (payment: PaymentView) => boolean },
  ) => Promise<PaymentView>;
  readonly clock: Clock;
}

const refused = (why: string): OmniError => new OmniError('precondition-failed', why);

/** What is not held, or the gateway can't do, is not asked of it. */
const requireAble = ({ name, capabilities }: Gateway, payment: Payment, wanted: number): void => {
  const { status, amount, currency, captureRequested } = payment;
  if (status !== 'authorised') throw refused('Nothing is held to be captured.');
  if (wanted > amount) throw refused('Less is held than is to be captured.');
  if (captureRequested !== null && captureRequested !== wanted) throw refused('Another amount is being captured.');
  if (wanted === amount) return;
  if (!capabilities.partialCapture) throw refused(`${name} captures all of what is held, or nothing.`);
  if (!isExact({ amount: wanted, currency }, capabilities.minorDigits.get(currency))) {
    throw refused(`${name} can't capture this amount of ${currency}.`);
  }
};

/**
 * Takes what is held. What is being captured is noted first, so that two who want different amounts do not both ask.
 */
export const createCapture = ({ payments, find, ofGateway, unlessDone, clock }: CaptureOptions) => {
  const note = async (tenant: string, { id, value, revision }: Stored<Payment>, wanted: number): Promise<string> => {
    const at = isoTime(clock.now());
    await payments.of(tenant).update(id, { ...value, captureRequested: wanted, captureRequestedAt: at }, { revision });
    return at;
  };

  /** Another amount may be captured again. Where somebody else changed the payment, they are not disturbed. */
  const withdraw = async (tenant: string, id: string, at: string | null): Promise<void> => {
    const { value, revision } = await find(tenant, id);
    if (value.status !== 'authorised' || value.captureRequestedAt !== at) return;
    const next = { ...value, captureRequested: null, captureRequestedAt: null };
    try {
      await payments.of(tenant).update(id, next, { revision });
    } catch (error) {
      if (!isOmniError(error, 'revision-conflict')) throw error;
    }
  };

  /** Only the first call is refused for sure, until so long after that an earlier one can't be under way any more. */
  const isOld = (at: string | null): boolean => at === null || clock.now() - Date.parse(at) > settledAfter * 1_000;

  return async ({ tenant }: Actor, id: string, amount?: number): Promise<PaymentView> => {
    const { stored, gateway, reference } = await ofGateway(tenant, id);
    const { value } = stored;
    const wanted = amount ?? value.captureRequested ?? value.amount;
    if (value.status === 'captured' && value.captured === wanted) return paymentViewSchema.parse({ ...value, id });
    requireAble(gateway, value, wanted);
    const isFirst = value.captureRequested === null;
    const at = isFirst ? await note(tenant, stored, wanted) : value.captureRequestedAt;
    const part = wanted === value.amount ? undefined : { amount: wanted, currency: value.currency };
    // A gateway repeats its refusal for a key: what is noted anew is asked with another.
    const key = at === null ? `${id}:capture` : `${id}:capture:${Date.parse(at)}`;
    try {
      const call = () => gateway.capture(reference, part, key);
      return await unlessDone(call, { tenant, id, isDone: ({ status }) => status === 'captured' });
    } catch (error) {
      const isRefusal = isOmniError(error) && refusals.has(error.code);
      if (isRefusal && (isFirst || isOld(at))) await withdraw(tenant, id, at);
      throw error;
    }
  };
};
