import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import type { KeyManagement } from './key-management.ts';

/** What every keeper of the master key must do. `reopen` gives a new client of the same keeper, as after a restart. */
export const keyManagementContract = (name: string, reopen: () => KeyManagement): void => {
  describe(`key management by ${name}`, () => {
    const keys = reopen();
    const key = randomBytes(32);
    afterAll(() => keys.close());

    it('gives back what it wrapped, in another process too', async () => {
      const wrapped = await keys.wrap(key, 'acme/fields~1');
      expect(Buffer.from(await keys.unwrap(wrapped, 'acme/fields~1'))).toEqual(key);
      const other = reopen();
      expect(Buffer.from(await other.unwrap(wrapped, 'acme/fields~1'))).toEqual(key);
      await other.close();
    });

    it('wraps the same key differently each time, and never shows it', async () => {
      const [one, two] = [await keys.wrap(key, 'a'), await keys.wrap(key, 'a')];
      expect(one).not.toBe(two);
      expect(Buffer.from(one.split('.')[3] ?? '', 'base64url').includes(key)).toBe(false);
      expect(one).not.toContain(key.toString('base64url'));
    });

    it('takes an empty context, and one of any characters', async () => {
      for (const context of ['', 'ünï\0/😀']) {
        expect(Buffer.from(await keys.unwrap(await keys.wrap(key, context), context))).toEqual(key);
      }
    });

    it('refuses another context', async () => {
      const wrapped = await keys.wrap(key, 'acme/fields~1');
      for (const context of ['rival/fields~1', 'acme/fields~2', '', 'acme/fields~1 ']) {
        await expect(keys.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'stored-data-invalid' });
      }
    });

    it('refuses what was changed, cut off or never wrapped', async () => {
      const wrapped = await keys.wrap(key, 'a');
      const at = wrapped.length - 10;
      const changed = wrapped.slice(0, at) + (wrapped[at] === 'A' ? 'B' : 'A') + wrapped.slice(at + 1);
      for (const bad of [
        changed,
        wrapped.slice(0, -8),
        wrapped.slice(0, 20),
        '',
        'kms1.',
        'local1.a.b.c.d',
        'x'.repeat(1_000),
      ]) {
        await expect(keys.unwrap(bad, 'a')).rejects.toMatchObject({ code: 'stored-data-invalid' });
      }
    });
  });
};
