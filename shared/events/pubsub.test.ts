import { describe, expect, it } from 'vitest';
import { testBus } from '#tests/support/pubsub.ts';
import { busContract } from './bus.contract.ts';
import { embeddedBus } from './embedded.ts';
import { pubSubBus } from './pubsub.ts';

busContract('Pub/Sub', testBus);
busContract('embedded', async () => {
  const bus = embeddedBus({ minBackoff: 5 });
  return { bus, subscribe: bus.subscribe, close: bus.close };
});

describe('Pub/Sub that does not answer', () => {
  it('fails with unavailable, within its time', async () => {
    const bus = pubSubBus({ projectId: 'test', topic: 'events', emulatorHost: '127.0.0.1:1', timeout: 500 });
    const event = {
      specversion: '1.0' as const,
      id: 'evt_1',
      source: 'omni/test',
      type: 'test.thing.happened',
      subject: 'x',
      time: '2026-01-01T00:00:00.000Z',
      tenant: 'acme',
      datacontenttype: 'application/json' as const,
      data: {},
    };
    const started = performance.now();
    await expect(bus.publish([event])).rejects.toMatchObject({ code: 'unavailable' });
    // The library is loaded on first use, which may take seconds on a busy machine; left alone it would try for minutes.
    expect(performance.now() - started).toBeLessThan(15_000);
    await bus.close();
  });
});
