import { describe, expect, it } from 'vitest';
import { testBus } from '#tests/support/pubsub.ts';
import type { DomainEvent } from '../kernel/event.ts';
import { busContract } from './bus.contract.ts';
import { embeddedBus } from './embedded.ts';
import { pubSubBus } from './pubsub.ts';
import { eventOfPush } from './push.ts';

busContract('Pub/Sub', testBus);
busContract('embedded', async () => {
  const bus = embeddedBus({ minBackoff: 5 });
  return { bus, subscribe: bus.subscribe, close: bus.close };
});

const event = (n: number, data: Readonly<Record<string, unknown>> = {}): DomainEvent => ({
  specversion: '1.0',
  id: `evt_${n}`,
  source: 'omni/test',
  type: 'test.thing.happened',
  subject: 'x',
  time: '2026-01-01T00:00:00.000Z',
  tenant: 'acme',
  datacontenttype: 'application/json',
  data,
});

describe('Pub/Sub, which takes ten megabytes in a request', () => {
  it('is given more at once in several', async () => {
    const { bus, subscribe, close } = await testBus();
    const seen = new Set<string>();
    const { promise, resolve } = Promise.withResolvers<void>();
    await subscribe('large', async (body) => {
      seen.add(eventOfPush(body).id);
      if (seen.size === 16) resolve();
      return 204;
    });
    await bus.publish(Array.from({ length: 16 }, (_, n) => event(n, { text: 'x'.repeat(650_000) })));
    await promise;
    await close();
  });
});

describe('Pub/Sub that does not answer', () => {
  it('fails with unavailable, within its time', async () => {
    const bus = pubSubBus({ projectId: 'test', topic: 'events', emulatorHost: '127.0.0.1:1', timeout: 500 });
    const started = performance.now();
    await expect(bus.publish([event(1)])).rejects.toMatchObject({ code: 'unavailable' });
    // The library is loaded on first use, which may take seconds on a busy machine; left alone it would try for minutes.
    expect(performance.now() - started).toBeLessThan(15_000);
    await bus.close();
  });
});
