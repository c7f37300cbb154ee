import { createHmac } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import type { AcmeEvent } from './sandbox.schema.ts';

export interface WebhookEndpoint {
  readonly url: string;
  readonly secret: string;
}

/** What happens to the next events on their way: lost, sent twice, or kept until after the one behind it. */
export type WebhookFault = 'drop' | 'duplicate' | 'reorder';

interface Delivery {
  readonly event: AcmeEvent;
  readonly endpoint: WebhookEndpoint;
  attempts: number;
  /** Milliseconds since the Unix epoch. */
  nextAt: number;
}

export interface WebhookSenderOptions {
  readonly clock: Clock;
  /** Milliseconds that a receiver has to answer. */
  readonly patience?: number;
}

/** Milliseconds until the next attempt. After the last one an event is given up. */
const pauses = [5_000, 30_000, 120_000, 600_000, 3_600_000, 10_800_000];

/** `AcmePay-Signature: t=…,v1=…`, an HMAC-SHA-256 over `<t>.<body>`. */
export const signatureOf = (body: string, secret: string, seconds: number): string =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;

/** Sends events to endpoints until they are taken, in order of their making unless it is told otherwise. */
export const createWebhookSender = ({ clock, patience = 5_000 }: WebhookSenderOptions) => {
  const endpoints: WebhookEndpoint[] = [];
  const waiting: Delivery[] = [];
  const faults: WebhookFault[] = [];
  let running: Promise<void> | undefined;

  const send = async ({ event, endpoint }: Delivery): Promise<boolean> => {
    const body = JSON.stringify(event);
    try {
      const response = await fetch(endpoint.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'acmepay-signature': signatureOf(body, endpoint.secret, Math.floor(clock.now() / 1_000)),
        },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(patience),
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  };

  const attempt = async (delivery: Delivery): Promise<void> => {
    if (await send(delivery)) {
      waiting.splice(waiting.indexOf(delivery), 1);
      return;
    }
    const pause = pauses[delivery.attempts];
    delivery.attempts += 1;
    if (pause === undefined) waiting.splice(waiting.indexOf(delivery), 1);
    else delivery.nextAt = clock.now() + pause;
  };

  const deliverDue = async (): Promise<void> => {
    for (const delivery of waiting.filter(({ nextAt }) => nextAt <= clock.now())) await attempt(delivery);
  };

  return {
    connect: (endpoint: WebhookEndpoint): void => {
      endpoints.push(endpoint);
    },
    fail: (...next: readonly WebhookFault[]): void => {
      faults.push(...next);
    },
    enqueue: (event: AcmeEvent): void => {
      const fault = endpoints.length === 0 ? undefined : faults.shift();
      if (fault === 'drop') return;
      for (const endpoint of endpoints) {
        const delivery = (): Delivery => ({ event, endpoint, attempts: 0, nextAt: clock.now() });
        const last = fault === 'reorder' ? waiting.length - 1 : waiting.length;
        waiting.splice(Math.max(0, last), 0, delivery());
        if (fault === 'duplicate') waiting.push(delivery());
      }
    },
    /** Events that were not taken yet. */
    waiting: (): number => waiting.length,
    /** Sends what is due, one run at a time. */
    deliver: (): Promise<void> => {
      running ??= deliverDue().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
};
export type WebhookSender = ReturnType<typeof createWebhookSender>;
