import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddedDatabase } from '../../store/embedded.ts';
import { attackWindowCollection, createAttackWindows, distinctIn } from './attack-window.ts';

const length = 3_600_000;
const setUp = (now = 10 * length) => {
  const database = embeddedDatabase({ now: () => now });
  const windows = createAttackWindows({ windows: database.tenants(attackWindowCollection), length });
  const add = (key: string, member: string, at = now, outcome: 'failures' | 'successes' = 'failures') =>
    database.transaction((transaction) =>
      windows.add(transaction, 'acme', { kind: 'network', key, at }, { member, outcome }),
    );
  const read = async (key: string, at = now) => (await windows.read('acme', [{ kind: 'network', key, at }]))[0];
  return { add, read, now, database };
};

describe('a window', () => {
  it('counts like a list of everything that was added, in any order', async () => {
    const addition = fc.record({
      key: fc.constantFrom('a', 'b'),
      member: fc.nat(40),
      slot: fc.nat(3),
      outcome: fc.constantFrom('failures' as const, 'successes' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(addition, { maxLength: 60 }), fc.nat(3), async (all, slot) => {
        const { add, read, now } = setUp();
        await Promise.all(all.map((one) => add(one.key, `member ${one.member}`, now + one.slot * length, one.outcome)));
        for (const key of ['a', 'b']) {
          const counted = all.filter((one) => one.key === key && (one.slot === slot || one.slot === slot - 1));
          const failures = counted.filter(({ outcome }) => outcome === 'failures');
          const distinct = new Set(failures.map(({ member }) => member)).size;
          const found = await read(key, now + slot * length);
          expect(found?.failures).toBe(failures.length);
          expect(found?.successes).toBe(counted.length - failures.length);
          // Two of forty members may meet in one of 4,096 cells.
          expect(found?.distinct).toBeLessThanOrEqual(distinct);
          expect(found?.distinct).toBeGreaterThanOrEqual(distinct - 1);
        }
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it('tells thousands of members within five percent', async () => {
    const { add, read } = setUp();
    for (let i = 0; i < 2_000; i += 1) await add('a', `account ${i}`);
    const { distinct = 0, failures } = (await read('a')) ?? {};
    expect(failures).toBe(2_000);
    expect(Math.abs(distinct - 2_000)).toBeLessThan(100);
  });

  it('has an end to what it can tell, and to what it can hold', () => {
    expect(distinctIn(0)).toBe(0);
    expect(distinctIn(1)).toBe(1);
    expect(distinctIn(4_096)).toBe(distinctIn(4_095));
    expect(distinctIn(4_096)).toBeGreaterThan(30_000);
  });
});
