import { createHash } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { startRangeServer } from '#tests/support/threats.ts';
import { createMemoryCache } from '../../cache/memory.ts';
import { manualClock } from '../../kernel/clock.ts';
import { memoryLogger } from '../../telemetry/index.ts';
import { createPasswordCheck } from '../identity/password-policy.ts';
import { breachedPasswords } from './breached-passwords.ts';

const stolen = 'tall-giraffe-eats-clouds';
const server = await startRangeServer({ [stolen]: 17 });
afterAll(() => server.stop());

const setUp = (timeout = 1_000) => {
  const clock = manualClock();
  const logger = memoryLogger();
  const cache = createMemoryCache();
  const count = breachedPasswords({ baseUrl: server.baseUrl, cache, clock, logger, timeout });
  return { clock, logger, count };
};

describe('the list of breached passwords', () => {
  it('says how often one is in it, and takes padding for nothing', async () => {
    const { count } = setUp();
    expect(await count(stolen)).toBe(17);
    expect(await count('quiet-otter-borrows-lamps')).toBe(0);
    const padded = createHash('sha1').update('padding 00000 1').digest('hex');
    expect(padded).toHaveLength(40);
  });

  it('learns no more than five digits of a hash, and those once a day', async () => {
    const { count } = setUp();
    const before = server.asked.length;
    await Promise.all([count(stolen), count(stolen)]);
    await count(stolen);
    const hash = createHash('sha1').update(stolen).digest('hex').toUpperCase();
    expect(server.asked.slice(before)).toEqual([hash.slice(0, 5)]);
  });

  it.each(['stall', 'nonsense', { status: 503 }, { status: 302 }] as const)(
    'keeps nobody out when it answers by %j, and says so to the log without the password',
    async (behaviour) => {
      const { count, logger } = setUp(500);
      server.behave(behaviour);
      expect(await count(stolen)).toBe(0);
      expect(logger.lines).toHaveLength(1);
      expect(JSON.stringify(logger.lines)).not.toContain(stolen);
      // What failed is not kept for an answer.
      expect(await count(stolen)).toBe(17);
    },
  );

  it('is left alone for a minute after three failures', async () => {
    const { clock, count } = setUp();
    server.behave({ status: 500 }, { status: 500 }, { status: 500 });
    for (let i = 0; i < 3; i += 1) await count(stolen);
    expect(await count(stolen)).toBe(0);
    clock.advance(60_001);
    expect(await count(stolen)).toBe(17);
  });
});

describe('a new password', () => {
  const policy = { minLength: 10, minScore: 3 };

  it('is refused where it was stolen before, and is not asked about where it is too easy anyway', async () => {
    const { count } = setUp();
    const check = createPasswordCheck({ countBreaches: count });
    await expect(check(stolen, policy, [])).rejects.toMatchObject({
      code: 'invalid-request',
      issues: [{ path: 'body.password', message: expect.stringContaining('stolen') }],
    });
    await expect(check('quiet-otter-borrows-lamps', policy, [])).resolves.toBeUndefined();
    const before = server.asked.length;
    await expect(check('password1234', policy, [])).rejects.toMatchObject({ code: 'invalid-request' });
    expect(server.asked).toHaveLength(before);
  });

  it.each(['Password2026!!', '!!!dragonfly!!!', 'p4ssw0rd????', 'sunshinesunshine', '1qaz2wsx##2025'])(
    'is refused as a common one with something added: %j',
    async (password) => {
      await expect(createPasswordCheck()(password, policy, [])).rejects.toMatchObject({ code: 'invalid-request' });
    },
  );
});
