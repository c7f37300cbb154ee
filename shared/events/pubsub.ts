import { OmniError } from '../kernel/errors.ts';
import type { DomainEvent } from '../kernel/event.ts';
import type { Bus } from './bus.ts';

export interface PubSubOptions {
  readonly projectId: string;
  readonly topic: string;
  /** `host:port` of an emulator. */
  readonly emulatorHost?: string | undefined;
  /** Milliseconds for one publish call, retries included. */
  readonly timeout?: number;
}

/**
 * The event with its data as JSON text, which the topic's schema and a column of the warehouse can say (decision 10),
 * and with what subscriptions filter on as attributes.
 */
export const toMessage = ({ partitionkey = '', dataclassification, ...event }: DomainEvent) => ({
  data: Buffer.from(JSON.stringify({ ...event, data: JSON.stringify(event.data) })),
  attributes: {
    type: event.type,
    tenant: event.tenant,
    'content-type': 'application/json',
    ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
    ...(dataclassification === undefined ? {} : { dataclassification }),
  },
  orderingKey: partitionkey,
});
type Message = ReturnType<typeof toMessage>;

/** Of the messages of a request. Pub/Sub takes ten million and a thousand messages; attributes and framing count too. */
const maxBytes = 5_000_000;
const maxMessages = 1_000;

/**
 * What goes in one request each, in order. All messages of a request must have the same ordering key, which the emulator
 * does not mind and the service refuses.
 */
const requestsOf = (messages: readonly Message[]): readonly (readonly Message[])[] => {
  const requests: Message[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const last = requests.at(-1);
    bytes += message.data.length;
    if (last === undefined || last.length === maxMessages || bytes > maxBytes) {
      requests.push([message]);
      bytes = message.data.length;
    } else {
      last.push(message);
    }
  }
  return requests;
};

/**
 * The plain publisher client rather than the SDK's batching one: the outbox already groups what is ready, so a
 * batching timer would only add its delay to every event.
 */
const connect = async ({ projectId, emulatorHost }: PubSubOptions) => {
  const { v1 } = await import('@google-cloud/pubsub');
  if (emulatorHost === undefined) return new v1.PublisherClient({ projectId });
  const [{ credentials }, { PassThroughClient }] = await Promise.all([
    import('@grpc/grpc-js'),
    import('google-auth-library'),
  ]);
  const [host = 'localhost', port = '8085'] = emulatorHost.split(':');
  return new v1.PublisherClient({
    projectId,
    servicePath: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Without one the library would look for credentials, over the network too.
    authClient: new PassThroughClient(),
  });
};

/** Fails when one has failed and all have ended, so that nothing is still on its way by then. */
const allOf = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const failed = (await Promise.allSettled(items.map(work))).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
};

export const pubSubBus = (options: PubSubOptions): Bus => {
  const topic = `projects/${options.projectId}/topics/${options.topic}`;
  let client: ReturnType<typeof connect> | undefined;
  return {
    publish: async (events) => {
      if (events.length === 0) return;
      client ??= connect(options);
      const byKey = Map.groupBy(events.map(toMessage), ({ orderingKey }) => orderingKey);
      try {
        const publisher = await client;
        await allOf([...byKey.values()], async (messages) => {
          for (const request of requestsOf(messages)) {
            await publisher.publish({ topic, messages: [...request] }, { timeout: options.timeout ?? 5_000 });
          }
        });
      } catch (error) {
        throw new OmniError('unavailable', 'The event bus did not take the events.', { cause: error });
      }
    },
    close: async () => {
      await (await client)?.close();
    },
  };
};
