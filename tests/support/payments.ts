import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker, parseEvent } from '#shared/events/define-event.ts';
import type { Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import type { ManualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import type { AcmePaySandbox } from '#shared/payments/acmepay-sandbox/acmepay-sandbox.ts';
import type { AcmeEvent } from '#shared/payments/acmepay-sandbox/sandbox.schema.ts';
import { createPayments, type Payments } from '#shared/payments/compose.ts';
import { acmePay } from '#shared/payments/gateways/acmepay.ts';
import type { Gateway, GatewayName } from '#shared/payments/gateways/gateway.ts';
import { createPayPalClient } from '#shared/payments/gateways/paypal.client.ts';
import { paypalGateway } from '#shared/payments/gateways/paypal.ts';
import { paymentInputSchema } from '#shared/payments/payments/payment.schema.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import type { Database } from '#shared/store/store.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { acmepayDelivery, paypalDelivery } from '#shared/webhooks/index.ts';
import type { PayPalEvent } from './paypal/book.ts';
import { eventBody } from './paypal/notifications.ts';
import type { PayPalServer } from './paypal-server.ts';

export interface PaymentWorldOptions {
  readonly database: Database;
  readonly clock: ManualClock;
  readonly sandbox?: AcmePaySandbox;
  readonly paypal?: PayPalServer;
  /** Around every call of a gateway. */
  readonly step?: <R>(call: () => Promise<R>) => Promise<R>;
  /** Under whose name AcmePay is connected, where a test wants two gateways. */
  readonly named?: (name: GatewayName, gateway: Gateway) => Gateway;
  readonly isSandbox?: boolean;
  /** Seconds for one request to the gateway. */
  readonly timeout?: number;
}

const guarded = (gateway: Gateway, step: NonNullable<PaymentWorldOptions['step']>): Gateway => ({
  ...gateway,
  create: (...args) => step(() => gateway.create(...args)),
  confirm: (...args) => step(() => gateway.confirm(...args)),
  capture: (...args) => step(() => gateway.capture(...args)),
  cancel: (...args) => step(() => gateway.cancel(...args)),
  refund: (...args) => step(() => gateway.refund(...args)),
  retrieve: (...args) => step(() => gateway.retrieve(...args)),
  find: (...args) => step(() => gateway.find(...args)),
});

export const acme = systemActor('acme', 'test');

/** A payment that is asked for, with the defaults that the API fills in. */
export const asked = (change: Partial<Parameters<typeof paymentInputSchema.parse>[0] & object> = {}) =>
  paymentInputSchema.parse({
    amount: 2_500,
    currency: 'EUR',
    mode: 'test',
    sources: [{ gateway: 'acmepay', paymentMethod: 'pm_card_ok' }],
    ...change,
  });

/** One instance of the payments function over a database, with AcmePay's sandbox as its gateway. */
export const paymentWorld = (options: PaymentWorldOptions) => {
  const { database, clock, sandbox, paypal, step, named = (_name, gateway) => gateway } = options;
  const wait = async () => {};
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  const payments: Payments = createPayments({
    database,
    openGateway: async (name, { credentials, livemode }) => {
      const { secretKey = '', clientId, clientSecret } = credentials;
      const common = { livemode, clock, timeout: options.timeout ?? 0.5 };
      const gateway =
        name === 'paypal'
          ? paypalGateway({
              client: createPayPalClient({ ...common, clientId, clientSecret, baseUrl: paypal?.baseUrl ?? '', wait }),
            })
          : acmePay({ ...common, baseUrl: sandbox?.baseUrl ?? '', secretKey });
      return named(name, step === undefined ? gateway : guarded(gateway, step));
    },
    isSandbox: async () => options.isSandbox ?? false,
    claim: async () => {},
    audit: { record: async () => 'aud_1' },
    makeEvent,
    newId,
    clock,
    logger: nullLogger,
  });
  const inbox = database.platform(inboxCollection);
  const deadLetters = createDeadLetters({ database, letters: database.platform(deadLetterCollection), inbox, clock });
  const runJob = createJobRunner({
    database,
    inbox: createInbox({ entries: inbox, clock }),
    deadLetters,
    logger: nullLogger,
  });
  const emitted = async (): Promise<DomainEvent[]> => {
    const { items } = await database.platform(outboxCollection).query({ limit: 1_000 });
    return items.map(({ value }) => parseEvent(JSON.parse(value.event)));
  };
  return {
    ...payments,
    run: (job: Job<Payments>, event: DomainEvent) => runJob(job, event, payments),
    /** Everything that was ever emitted: nobody takes it out of the outbox here. */
    emitted,
    /** An event of the sandbox, as the intake publishes it. */
    webhook: (event: AcmeEvent, tenant = 'acme'): DomainEvent => {
      const { eventType, subject, data } = acmepayDelivery(JSON.parse(JSON.stringify(event)));
      return makeEvent(eventType, { id: `whk_${event.id}`, tenant, subject, data });
    },
    /** One of PayPal's. */
    paypalWebhook: (event: PayPalEvent, tenant = 'acme'): DomainEvent => {
      const account = { merchant: event.merchant, livemode: false };
      const { eventType, subject, data } = paypalDelivery(JSON.parse(eventBody(event)), account);
      return makeEvent(eventType, { id: `whk_${event.id}`, tenant, subject, data });
    },
    /** An app of PayPal's; each is of a merchant of its own. */
    connectPayPal: (clientId: string) =>
      payments.gatewayAccounts.connect(acme, {
        gateway: 'paypal',
        mode: 'test',
        credentials: { clientId, clientSecret: paypal?.clientSecret ?? '' },
        enabled: true,
        cost: { basisPoints: 0, fixed: 0 },
        countries: [],
      }),
    connect: (secretKey: string, gateway: GatewayName = 'acmepay') =>
      payments.gatewayAccounts.connect(acme, {
        gateway,
        mode: 'test',
        credentials: { secretKey },
        enabled: true,
        cost: { basisPoints: 0, fixed: 0 },
        countries: [],
      }),
  };
};
export type PaymentWorld = ReturnType<typeof paymentWorld>;
