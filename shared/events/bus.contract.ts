import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DomainEvent } from '../kernel/event.ts';
import type { Bus } from './bus.ts';
import type { PushEndpoint } from './embedded.ts';
import { eventOfPush } from './push.ts';

export interface BusUnderTest {
  readonly bus: Bus;
  subscribe(name: string, endpoint: PushEndpoint): Promise<void> | void;
  close(): Promise<void>;
}

const eventNumber = (n: number, data: Readonly<Record<string, unknown>> = {}) => ({
  specversion: '1.0' as const,
  id: `evt_${n}`,
  source: 'omni/test',
  type: 'test.thing.happened',
  subject: `thing-${n % 3}`,
  time: '2026-01-01T00:00:00.000Z',
  tenant: 'acme',
  datacontenttype: 'application/json' as const,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  data: { n, ...data },
});

/** What every bus must do: carry each event, whole, to each subscriber, until it is taken. */
export const busContract = (name: string, start: () => Promise<BusUnderTest>): void => {
  describe(`bus: ${name}`, () => {
    let under: BusUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(() => under.close());

    /** Collects what arrives until `enough` says so. */
    const collect = async (
      subscription: string,
      enough: (seen: readonly DomainEvent[]) => boolean,
      answer = () => 204,
    ) => {
      const seen: DomainEvent[] = [];
      const { promise, resolve } = Promise.withResolvers<readonly DomainEvent[]>();
      await under.subscribe(subscription, async (body) => {
        seen.push(eventOfPush(body));
        if (enough(seen)) resolve(seen);
        return answer();
      });
      return promise;
    };
    const distinct = (events: readonly DomainEvent[]) => new Map(events.map((event) => [event.id, event]));

    it('carries every event to every subscriber as it was', async () => {
      const sent = Array.from({ length: 150 }, (_, n) =>
        eventNumber(n, { text: 'Ünïcode 🦊 "quoted"', deep: { a: [1, null] } }),
      );
      const all = (seen: readonly DomainEvent[]) => distinct(seen).size === sent.length;
      const [first, second] = [collect('first', all), collect('second', all)];
      // Subscribed before anything is published: a topic keeps nothing for who comes later.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await under.bus.publish(sent);
      for (const seen of await Promise.all([first, second])) {
        expect([...distinct(seen).values()].sort((a, b) => Number(a.data.n) - Number(b.data.n))).toEqual(sent);
      }
    });

    it('carries each subject’s events in turn, together with others, and says nothing of it to jobs', async () => {
      const sent = Array.from({ length: 30 }, (_, n) => eventNumber(200 + n));
      const seen = collect('in-turn', (all) => distinct(all).size === sent.length);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await under.bus.publish(
        sent.map((event, n) => (n % 2 === 0 ? { ...event, partitionkey: event.subject } : event)),
      );
      expect([...distinct(await seen).values()].sort((a, b) => Number(a.data.n) - Number(b.data.n))).toEqual(sent);
    });

    it('delivers again until the subscriber answers with success', async () => {
      let answers = 0;
      const again = collect(
        'failing',
        (seen) => seen.filter(({ id }) => id === 'evt_900').length === 3,
        () => {
          answers += 1;
          return answers < 3 ? 503 : 204;
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      await under.bus.publish([eventNumber(900)]);
      expect((await again).filter(({ id }) => id === 'evt_900')).toHaveLength(3);
    });

    it('takes an empty list', async () => {
      await under.bus.publish([]);
    });
  });
};
