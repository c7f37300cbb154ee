import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOmniError } from '../kernel/errors.ts';
import { toMessage } from './pubsub.ts';
import { eventOfPush } from './push.ts';

const push = (data: unknown, attributes: Record<string, string> = {}, publishTime = '2026-01-01T06:00:03.120Z') => ({
  message: { data: Buffer.from(JSON.stringify(data)).toString('base64'), attributes, messageId: '7', publishTime },
  subscription: 'projects/p/subscriptions/s',
});

describe('a pushed message', () => {
  it('of a timer is an event named by its minute, so that a tick that is sent twice is one', () => {
    const attributes = { type: 'schedule.daily' };
    const first = eventOfPush(push({ schedule: 'daily' }, attributes));
    const second = eventOfPush(push({ schedule: 'daily' }, attributes, '2026-01-01T06:00:41Z'));
    expect(first).toMatchObject({ type: 'schedule.daily', tenant: '-', data: { schedule: 'daily' } });
    expect(second.id).toBe(first.id);
    expect(eventOfPush(push({ schedule: 'daily' }, attributes, '2026-01-01T06:01:00Z')).id).not.toBe(first.id);
  });

  it('that carries no event is refused and nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.json().map((text) => push(JSON.parse(text))),
        ),
        (body) => {
          try {
            eventOfPush(body);
            return false;
          } catch (error) {
            return isOmniError(error, 'invalid-request');
          }
        },
      ),
    );
  });
});

describe('an event that crosses the bus', () => {
  const event = {
    specversion: '1.0' as const,
    id: 'evt_1',
    source: 'omni/test',
    type: 'test.thing.happened',
    subject: 'x',
    time: '2026-01-01T00:00:00.000Z',
    tenant: 'acme',
    datacontenttype: 'application/json' as const,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    data: { nested: { list: [1, 'zwei', null] } },
  };

  it('is the same at the other end, whether its data is text or, by hand, an object', () => {
    const wire: unknown = JSON.parse(toMessage(event).data.toString());
    expect(eventOfPush(push(wire))).toEqual(event);
    expect(eventOfPush(push(event))).toEqual(event);
  });

  it('has only fields that the topic’s schema has, and all of them are text', async () => {
    const proto = await readFile(resolve(import.meta.dirname, '../../infra/modules/event-bus/event.proto'), 'utf8');
    const fields = [...proto.matchAll(/^\s+(\w+) (\w+) = \d+;/gm)].map(([, type, name]) => ({ type, name }));
    expect(fields.every(({ type }) => type === 'string')).toBe(true);
    const wire: Record<string, unknown> = JSON.parse(toMessage(event).data.toString());
    const names = fields.map(({ name }) => name);
    expect(names.toSorted()).toEqual([...Object.keys(wire), 'schedule'].sort());
    expect(Object.values(wire).every((value) => typeof value === 'string')).toBe(true);
  });

  it('has its partition as ordering key and its classification as attribute, and both nowhere else', () => {
    const { orderingKey, attributes, data } = toMessage({
      ...event,
      partitionkey: 'x',
      dataclassification: 'confidential',
    });
    expect(orderingKey).toBe('x');
    expect(attributes).toMatchObject({ dataclassification: 'confidential' });
    expect(data).toEqual(toMessage(event).data);
    expect(toMessage(event)).toMatchObject({ orderingKey: '', attributes: { type: event.type } });
    expect(toMessage(event).attributes).not.toHaveProperty('dataclassification');
  });
});
