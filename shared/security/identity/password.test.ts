import { describe, expect, it } from 'vitest';
import { argon2Parameters, createPasswordHasher } from './password.ts';
import { createPasswordCheck } from './password-policy.ts';

const hasher = createPasswordHasher();

describe('a password', () => {
  it('is hashed by Argon2id with 19 MiB, two passes and one lane', async () => {
    const hash = await hasher.hash('quiet-otter-borrows-lamps');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await hasher.verify(hash, 'quiet-otter-borrows-lamps')).toBe(true);
    expect(await hasher.verify(hash, 'quiet-otter-borrows-lamp')).toBe(false);
    expect(hasher.isOutdated(hash)).toBe(false);
    expect(await hasher.hash('quiet-otter-borrows-lamps')).not.toBe(hash);
  });

  it('that was hashed with other parameters still fits, and is told to be out of date', async () => {
    const { hash } = await import('@node-rs/argon2');
    const old = await hash('quiet-otter', { ...argon2Parameters, timeCost: 1 });
    expect(await hasher.verify(old, 'quiet-otter')).toBe(true);
    expect(hasher.isOutdated(old)).toBe(true);
  });

  it('fits no account that has none, after as long a time', async () => {
    expect(await hasher.verify(undefined, 'quiet-otter')).toBe(false);
  });

  it('has up to 1,024 characters, of which every one counts', async () => {
    const longest = 'quiet-otter'.padEnd(1_023, 'ü');
    const hash = await hasher.hash(`${longest}1`);
    expect(await hasher.verify(hash, `${longest}1`)).toBe(true);
    expect(await hasher.verify(hash, `${longest}2`)).toBe(false);
  });

  it('of more than 1,024 characters costs nothing', async () => {
    const times: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const started = performance.now();
      expect(await hasher.verify(undefined, 'x'.repeat(1_000_000))).toBe(false);
      times.push(performance.now() - started);
    }
    // A busy machine may hold up any of them, and hardly all.
    expect(Math.min(...times)).toBeLessThan(5);
    await expect(hasher.hash('x'.repeat(1_025))).rejects.toThrow('bounded');
  });

  it('is one password in every Unicode form', async () => {
    const hash = await hasher.hash('zwölf'.normalize('NFD'));
    expect(await hasher.verify(hash, 'zwölf'.normalize('NFC'))).toBe(true);
  });
});

describe('the policy', () => {
  const check = createPasswordCheck();
  const policy = { minLength: 10, minScore: 3 };
  const known = ['ada.lovelace@example.com', 'Ada Lovelace', 'acme'];

  it.each([
    'quiet-otter-borrows-lamps',
    'x7#kQ9!vLm2p',
    'дом на холме у реки',
    'y'.repeat(3) + ' violet anchors hum '.repeat(40),
  ])('takes %j', async (password) => {
    await expect(check(password, policy, known)).resolves.toBeUndefined();
  });

  it.each([
    'short',
    'password1234',
    'qwertzuiop',
    'aaaaaaaaaaaaaaaa',
    'abcdefghijkl',
    'ada.lovelace',
    'Lovelace-Ada',
    '1234567890',
  ])('refuses %j', async (password) => {
    await expect(check(password, policy, known)).rejects.toMatchObject({
      code: 'invalid-request',
      issues: [{ path: 'body.password' }],
    });
  });

  it('bounds its own time: the longest password is rated in the blink of an eye', async () => {
    await check('quiet-otter-borrows-lamps', policy, known);
    const started = performance.now();
    await check('a1b2'.repeat(256), { minLength: 8, minScore: 2 }, known).catch(() => undefined);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
