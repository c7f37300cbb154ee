import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readAsvs } from '#scripts/lib/asvs.ts';
import { root } from '#scripts/lib/functions.ts';

const data = join(root, '../shared/data/asvs-5.0.0.json');
const dataSchema = z.object({ requirements: z.array(z.object({ req_id: z.string(), L: z.coerce.number() })) });

/** What is under way, by where it will be met. When that is there, the lines become tests, and leave this list. */
const pending: Readonly<Record<string, readonly string[]>> = {};

const entries = Object.entries(await readAsvs());

describe.skipIf(!existsSync(data))(
  'docs/security/asvs.json (against asvs-5.0.0.json, skipped where that is absent)',
  () => {
    it('has every requirement of levels 1 and 2, and no other', async () => {
      const { requirements } = dataSchema.parse(JSON.parse(await readFile(data, 'utf8')));
      const wanted = requirements.filter(({ L }) => L <= 2).map(({ req_id: id }) => id.replace(/^V/, ''));
      const has = entries.map(([id]) => id);
      expect(wanted.length).toBeGreaterThan(250);
      expect(wanted.filter((id) => !has.includes(id))).toEqual([]);
      expect(has.filter((id) => !wanted.includes(id))).toEqual([]);
    });
  },
);

describe('a line of docs/security/asvs.json', () => {
  const texts = new Map<string, string>();
  const textOf = async (path: string): Promise<string> => {
    const text = texts.get(path) ?? (await readFile(join(root, path), 'utf8').catch(() => ''));
    texts.set(path, text);
    return text;
  };

  it('names a test that is there', async () => {
    const dangling: string[] = [];
    for (const [id, entry] of entries) {
      if (entry.status !== 'test') continue;
      const text = await textOf(entry.file);
      const isThere = ["'", '"', '`'].some((quote) => text.includes(`${quote}${entry.test}${quote}`));
      if (!isThere) dangling.push(`${id}: ${entry.file}: ${entry.test}`);
    }
    expect(dangling).toEqual([]);
    expect(texts.size).toBeGreaterThan(20);
  });

  it('names files that are there', () => {
    const named = entries.flatMap(([, entry]) => [
      ...(entry.note ?? '').matchAll(/`((?:docs|shared|tests)\/[\w./-]+)`/g),
    ]);
    expect(named.length).toBeGreaterThan(5);
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('is pending only for what is known to be under way', () => {
    const found = entries.flatMap(([id, entry]) => (entry.status === 'pending' ? [[entry.expected, id]] : []));
    const known = Object.entries(pending).flatMap(([expected, ids]) => ids.map((id) => [expected, id]));
    expect(found.sort()).toEqual(known.sort());
  });
});
