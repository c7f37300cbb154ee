import { describe, expect, it } from 'vitest';
import { manualClock } from './clock.ts';
import { OmniError } from './errors.ts';
import { outsideSystem } from './outside-system.ts';

const down = () => new OmniError('unavailable', 'down');

const open = () => {
  const clock = manualClock();
  const waits: number[] = [];
  const wait = async (milliseconds: number): Promise<void> => {
    waits.push(milliseconds);
    clock.advance(milliseconds);
  };
  return { clock, waits, system: outsideSystem({ name: 'It', clock, timeout: 1, pause: 100, wait, random: () => 1 }) };
};

/** Fails so often, then answers. */
const failing = (failures: readonly Error[]) => {
  const left = [...failures];
  let calls = 0;
  return {
    calls: () => calls,
    call: async () => {
      calls += 1;
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      return 'answer';
    },
  };
};

describe('an outside system', () => {
  it('is called again after no answer, with growing pauses, three times in all', async () => {
    const { system, waits } = open();
    expect(await system.call(failing([down(), down()]).call)).toBe('answer');
    expect(waits).toEqual([100, 200]);
    const dead = failing([down(), down(), down(), down()]);
    await expect(system.call(dead.call)).rejects.toMatchObject({ code: 'unavailable' });
    expect(dead.calls()).toBe(3);
  });

  it('takes what is no refusal for no answer', async () => {
    const { system } = open();
    await expect(system.call(failing([new Error('a'), new Error('b'), new Error('c')]).call)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('is not asked twice what it refused', async () => {
    const { system } = open();
    const refusing = failing([new OmniError('invalid-request', 'no')]);
    await expect(system.call(refusing.call)).rejects.toMatchObject({ code: 'invalid-request' });
    expect(refusing.calls()).toBe(1);
  });

  it('is not said to have done nothing where it was asked before, gave no answer, and then wants a pause', async () => {
    const { system } = open();
    const call = failing([down(), new OmniError('rate-limited', 'slow', { retryAfter: 60 })]).call;
    await expect(system.call(call)).rejects.toMatchObject({ code: 'unavailable', retryAfter: 60 });
  });

  it('is waited for when it asks for a short pause, and left in peace when it asks for a long one', async () => {
    const { system, clock } = open();
    expect(await system.call(failing([new OmniError('rate-limited', 'slow', { retryAfter: 2 })]).call)).toBe('answer');
    const slow = failing([new OmniError('rate-limited', 'slow', { retryAfter: 60 })]);
    await expect(system.call(slow.call)).rejects.toMatchObject({ code: 'rate-limited', retryAfter: 60 });
    await expect(system.call(slow.call)).rejects.toMatchObject({ code: 'rate-limited' });
    expect(slow.calls()).toBe(1);
    clock.advance(60_000);
    expect(await system.call(slow.call)).toBe('answer');
  });

  it('is given up for a while after five failures in a row, and says so', async () => {
    const { system, clock } = open();
    const dead = failing(Array.from({ length: 10 }, down));
    const failed = () => system.call(dead.call).catch(() => 'failed');
    await failed();
    expect(system.status().healthy).toBe(true);
    await failed();
    expect(system.status().healthy).toBe(false);
    expect(dead.calls()).toBe(5);
    await failed();
    expect(dead.calls()).toBe(5);
    clock.advance(30_000);
    expect(system.status().healthy).toBe(true);
  });

  it('that is given up fails at once, without a pause, and that puts off nothing', async () => {
    const { system, clock, waits } = open();
    const dead = failing(Array.from({ length: 10 }, down));
    for (let i = 0; i < 2; i += 1) await system.call(dead.call).catch(() => 'failed');
    const before = waits.length;
    clock.advance(29_000);
    await expect(system.call(dead.call)).rejects.toMatchObject({ code: 'unavailable' });
    expect([waits.length - before, dead.calls()]).toEqual([0, 5]);
    clock.advance(1_000);
    expect(system.status().healthy).toBe(true);
    // One is let through to try.
    await expect(system.call(dead.call)).rejects.toMatchObject({ message: 'down' });
    expect([waits.length - before, dead.calls()]).toEqual([0, 6]);
  });

  it('is not waited for beyond its time', async () => {
    const clock = manualClock();
    const system = outsideSystem({ name: 'It', clock, timeout: 0.01, attempts: 1 });
    await expect(system.call(() => new Promise(() => {}))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
