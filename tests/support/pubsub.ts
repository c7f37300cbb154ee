import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { PubSub } from '@google-cloud/pubsub';
import { inject } from 'vitest';
import type { PushEndpoint } from '#shared/events/embedded.ts';
import { pubSubBus } from '#shared/events/pubsub.ts';
import { pubSubFront } from './pubsub-front.ts';

/** A topic of its own on the Pub/Sub emulator, whose subscriptions push to this process. */
export const testBus = async () => {
  const projectId = `test-${randomBytes(6).toString('hex')}`;
  const emulatorHost = inject('pubSubHost');
  const admin = new PubSub({ projectId, apiEndpoint: emulatorHost });
  const [topic] = await admin.createTopic('events');
  const front = await pubSubFront(admin);
  const bus = pubSubBus({ projectId, topic: 'events', emulatorHost: front.host });
  const endpoints = new Map<string, PushEndpoint>();
  const server = createServer(async (request, response) => {
    const endpoint = endpoints.get(request.url ?? '');
    const status = await endpoint?.(JSON.parse(await text(request)));
    response.writeHead(status ?? 404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    bus,
    subscribe: async (name: string, endpoint: PushEndpoint): Promise<void> => {
      endpoints.set(`/${name}`, endpoint);
      await topic.createSubscription(name, {
        pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/${name}` },
        ackDeadlineSeconds: 10,
        retryPolicy: { minimumBackoff: { seconds: 0.1 }, maximumBackoff: { seconds: 1 } },
      });
    },
    close: async (): Promise<void> => {
      for (const name of endpoints.keys()) await admin.subscription(name.slice(1)).delete();
      server.close();
      server.closeAllConnections();
      await bus.close();
      front.close();
      await admin.close();
    },
  };
};
