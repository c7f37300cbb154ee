import type { DomainEvent } from '../kernel/event.ts';
import type { Bus } from './bus.ts';
import { toMessage } from './pubsub.ts';

/** Takes a push request's body, as Pub/Sub would post it, and answers with the HTTP status. */
export type PushEndpoint = (body: unknown) => Promise<number>;

export interface EmbeddedBus extends Bus {
  /** Every event published from now on is pushed to the endpoint. */
  subscribe(name: string, endpoint: PushEndpoint): void;
  /** Publishes a message that is no event of ours, as Cloud Scheduler does. */
  publishRaw(data: unknown, attributes: Readonly<Record<string, string>>): void;
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>;
}

interface Message {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string | undefined>>;
}

/**
 * The bus where there is no Pub/Sub: pushes to each subscriber, and again with growing pauses until it answers with
 * success. What is on its way is lost with the process; the outbox of an embedded store is too.
 */
export const embeddedBus = ({ minBackoff = 100, maxBackoff = 10_000 } = {}): EmbeddedBus => {
  const subscriptions = new Map<string, PushEndpoint>();
  const underway = new Set<Promise<void>>();
  const stopped = new AbortController();
  let lastId = 0;

  const pause = (milliseconds: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      stopped.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });

  const deliver = async (subscription: string, endpoint: PushEndpoint, message: Message): Promise<void> => {
    lastId += 1;
    const body = {
      subscription,
      message: {
        data: message.data.toString('base64'),
        attributes: message.attributes,
        messageId: String(lastId),
        publishTime: new Date().toISOString(),
      },
    };
    for (let backoff = minBackoff; !stopped.signal.aborted; backoff = Math.min(backoff * 2, maxBackoff)) {
      const status = await endpoint(body).catch(() => 500);
      if (status >= 200 && status < 300) return;
      await pause(backoff);
    }
  };

  const send = (message: Message): void => {
    for (const [name, endpoint] of subscriptions) {
      const delivery = Promise.resolve().then(() => deliver(name, endpoint, message));
      underway.add(delivery);
      void delivery.finally(() => underway.delete(delivery));
    }
  };

  return {
    publish: async (events: readonly DomainEvent[]) => {
      for (const event of events) send(toMessage(event));
    },
    publishRaw: (data, attributes) => send({ data: Buffer.from(JSON.stringify(data)), attributes }),
    subscribe: (name, endpoint) => {
      subscriptions.set(name, endpoint);
    },
    idle: async () => {
      while (underway.size > 0) await Promise.all(underway);
    },
    close: async () => {
      stopped.abort();
      await Promise.all(underway);
    },
  };
};
