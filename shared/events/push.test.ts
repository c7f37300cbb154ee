import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOmniError } from '../kernel/errors.ts';
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
