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
export const toMessage = (event: DomainEvent) => ({
  data: Buffer.from(JSON.stringify({ ...event, data: JSON.stringify(event.data) })),
  attributes: {
    type: event.type,
    tenant: event.tenant,
    'content-type': 'application/json',
    ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
  },
  orderingKey: event.subject,
});

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

export const pubSubBus = (options: PubSubOptions): Bus => {
  const topic = `projects/${options.projectId}/topics/${options.topic}`;
  let client: ReturnType<typeof connect> | undefined;
  return {
    publish: async (events) => {
      if (events.length === 0) return;
      client ??= connect(options);
      try {
        await (await client).publish({ topic, messages: events.map(toMessage) }, { timeout: options.timeout ?? 5_000 });
      } catch (error) {
        throw new OmniError('unavailable', 'The event bus did not take the events.', { cause: error });
      }
    },
    close: async () => {
      await (await client)?.close();
    },
  };
};
