import { createHash, randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BlobStore, type PutOptions, uploadHeaders } from './blobs.ts';

export interface BlobsUnderTest {
  readonly blobs: BlobStore;
  stop(): Promise<void>;
}

/** What the other side of an adapter can do. A case that needs more is shown as skipped. */
export interface BlobCapabilities {
  readonly preconditions: boolean;
  readonly signedUrls: boolean;
  /** The other side does not hold whole blobs in this process. */
  readonly streams: boolean;
}

const plain: PutOptions = { contentType: 'text/plain' };
const mebibyte = 1024 * 1024;

/** Pseudo-random bytes, so that nothing on the way can compress or guess them. */
async function* bytes(mebibytes: number): AsyncGenerator<Buffer> {
  let block = createHash('sha256').update('seed').digest();
  for (let i = 0; i < mebibytes * 16; i += 1) {
    block = createHash('sha256').update(block).digest();
    yield Buffer.alloc(mebibyte / 16, block);
  }
}

const digest = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
};

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** The most bytes outside the heap that are in use at a time while `work` runs. */
const peakBuffers = async (work: () => Promise<unknown>): Promise<number> => {
  const inUse = (): number => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = inUse();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, inUse());
  }, 300);
  await work();
  clearInterval(timer);
  return peak - before;
};

export const blobsContract = (
  name: string,
  capabilities: BlobCapabilities,
  start: () => Promise<BlobsUnderTest>,
): void => {
  describe(`blobs: ${name}`, () => {
    let under: BlobsUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(() => under.stop());
    /** A tenant of its own for every case. */
    const fresh = () => under.blobs.of(`t-${randomUUID()}`);

    it('answers a ping', async () => {
      await expect(under.blobs.ping()).resolves.toBeUndefined();
    });

    it.each([
      ['text', 'größe'],
      ['bytes', Buffer.from('größe')],
      ['a stream', Readable.from([Buffer.from('grö'), Buffer.from('ße')])],
      ['a stream of text', Readable.from(['grö', 'ße'])],
    ])('writes %s and reads it back with all that is known of it', async (_kind, body) => {
      const blobs = fresh();
      const metadata = { source: 'test', 'row-count': '12' };
      const written = await blobs.put('reports/2026/a.txt', body, {
        contentType: 'text/plain; charset=utf-8',
        metadata,
      });
      expect(written).toMatchObject({
        key: 'reports/2026/a.txt',
        size: 7,
        contentType: 'text/plain; charset=utf-8',
        metadata,
      });
      expect(Date.parse(written.updatedAt)).toBeGreaterThan(0);
      const read = await blobs.read('reports/2026/a.txt');
      expect(read.info).toEqual(written);
      expect(await text(read.body)).toBe('größe');
      expect(await blobs.info('reports/2026/a.txt')).toEqual(written);
    });

    it('keeps an empty blob', async () => {
      const blobs = fresh();
      expect((await blobs.put('empty', '', plain)).size).toBe(0);
      expect(await text((await blobs.read('empty')).body)).toBe('');
      await expect(blobs.read('empty', { start: 0 })).rejects.toMatchObject({ code: 'range-not-satisfiable' });
    });

    it('replaces the whole blob, metadata too', async () => {
      const blobs = fresh();
      await blobs.put('k', 'first and longer', { ...plain, metadata: { a: '1' } });
      await blobs.put('k', 'second', { contentType: 'text/csv' });
      const { info, body } = await blobs.read('k');
      expect(info).toMatchObject({ size: 6, contentType: 'text/csv', metadata: {} });
      expect(await text(body)).toBe('second');
    });

    it('takes a key that is the beginning of another', async () => {
      const blobs = fresh();
      await blobs.put('a', '1', plain);
      await blobs.put('a/b', '2', plain);
      await blobs.put('A', '3', plain);
      expect(await text((await blobs.read('a')).body)).toBe('1');
      expect(await text((await blobs.read('a/b')).body)).toBe('2');
      expect(await text((await blobs.read('A')).body)).toBe('3');
    });

    describe('ranges', () => {
      it.each([
        [{ start: 0, end: 0 }, '0'],
        [{ start: 3, end: 5 }, '345'],
        [{ start: 7 }, '789'],
        [{ start: 5, end: 500 }, '56789'],
      ])('reads %j', async (range, expected) => {
        const blobs = fresh();
        await blobs.put('digits', '0123456789', plain);
        const { info, body } = await blobs.read('digits', range);
        expect(await text(body)).toBe(expected);
        expect(info.size).toBe(10);
      });

      it.each([{ start: 10 }, { start: 4, end: 3 }, { start: -1 }, { start: 1.5 }])('refuses %j', async (range) => {
        const blobs = fresh();
        await blobs.put('digits', '0123456789', plain);
        await expect(blobs.read('digits', range)).rejects.toMatchObject({ code: 'range-not-satisfiable' });
      });
    });

    describe('what is absent', () => {
      it('fails before the first byte', async () => {
        await expect(fresh().read('nothing')).rejects.toMatchObject({ code: 'not-found' });
        expect(await fresh().info('nothing')).toBeUndefined();
      });

      it('can be deleted, and what was deleted is absent', async () => {
        const blobs = fresh();
        await blobs.delete('k');
        await blobs.put('k', '1', plain);
        await blobs.delete('k');
        await blobs.delete('k');
        await expect(blobs.read('k')).rejects.toMatchObject({ code: 'not-found' });
        expect((await blobs.list({ limit: 10 })).items).toEqual([]);
        await blobs.put('k', '2', plain);
        expect(await text((await blobs.read('k')).body)).toBe('2');
      });
    });

    describe('large blobs', () => {
      it('come back as they went', async () => {
        const blobs = fresh();
        const written = await blobs.put('large', Readable.from(bytes(24)), plain);
        expect(written.size).toBe(24 * mebibyte);
        expect(await digest((await blobs.read('large')).body)).toBe(await digest(bytes(24)));
        const piped = new PassThrough();
        const [, received] = await Promise.all([pipeline((await blobs.read('large')).body, piped), digest(piped)]);
        expect(received).toBe(await digest(bytes(24)));
        const middle = await blobs.read('large', { start: 10 * mebibyte, end: 10 * mebibyte + 99 });
        expect(await buffer(middle.body)).toHaveLength(100);
      });

      it.runIf(capabilities.streams)('pass through without being held in memory', async () => {
        const blobs = fresh();
        const peak = await peakBuffers(async () => {
          await blobs.put('large', Readable.from(bytes(48)), plain);
          await digest((await blobs.read('large')).body);
        });
        expect(peak).toBeLessThan(24 * mebibyte);
      });

      it.each([
        ['a stream', () => Readable.from(bytes(2))],
        ['bytes', () => Buffer.alloc(2 * mebibyte)],
      ])('are refused above maxBytes and leave nothing (%s)', async (_kind, body) => {
        const blobs = fresh();
        const put = blobs.put('large', body(), { ...plain, maxBytes: mebibyte });
        await expect(put).rejects.toMatchObject({ code: 'payload-too-large' });
        expect(await blobs.info('large')).toBeUndefined();
        await blobs.put('large', Buffer.alloc(mebibyte), { ...plain, maxBytes: mebibyte });
      });

      it('leave the old blob when the body breaks off', async () => {
        const blobs = fresh();
        await blobs.put('k', 'old', plain);
        const broken = Readable.from(
          (async function* () {
            yield Buffer.alloc(mebibyte);
            throw new Error('the client went away');
          })(),
        );
        await expect(blobs.put('k', broken, plain)).rejects.toMatchObject({ code: 'invalid-request' });
        expect(await text((await blobs.read('k')).body)).toBe('old');
      });
    });

    describe.runIf(capabilities.preconditions)('conditional writes', () => {
      it('change etag and generation with every write', async () => {
        const blobs = fresh();
        const seen = new Set<string>();
        for (let i = 0; i < 4; i += 1) {
          const { etag, generation } = await blobs.put('k', 'same', plain);
          seen.add(etag).add(generation);
          if (i === 1) await blobs.delete('k');
        }
        expect(seen.size).toBeGreaterThanOrEqual(4);
      });

      it('go only over the generation that was read', async () => {
        const blobs = fresh();
        const first = await blobs.put('k', '1', plain);
        const second = await blobs.put('k', '2', { ...plain, ifGeneration: first.generation });
        const stale = { ...plain, ifGeneration: first.generation };
        await expect(blobs.put('k', '3', stale)).rejects.toMatchObject({ code: 'precondition-failed' });
        await expect(blobs.put('k', Readable.from(['3']), stale)).rejects.toMatchObject({
          code: 'precondition-failed',
        });
        expect((await blobs.info('k'))?.generation).toBe(second.generation);
      });

      it('create only where there is nothing, also after a delete', async () => {
        const blobs = fresh();
        const absent = { ...plain, ifGeneration: 'absent' };
        const first = await blobs.put('k', '1', absent);
        await expect(blobs.put('k', '2', absent)).rejects.toMatchObject({ code: 'precondition-failed' });
        await blobs.delete('k');
        const over = { ...plain, ifGeneration: first.generation };
        await expect(blobs.put('k', '2', over)).rejects.toMatchObject({ code: 'precondition-failed' });
        await blobs.put('k', '3', absent);
      });

      it('delete only the generation that was read', async () => {
        const blobs = fresh();
        const { generation: old } = await blobs.put('k', '1', plain);
        const { generation } = await blobs.put('k', '2', plain);
        await expect(blobs.delete('k', { generation: old })).rejects.toMatchObject({ code: 'precondition-failed' });
        await blobs.delete('k', { generation });
        await expect(blobs.delete('k', { generation })).rejects.toMatchObject({ code: 'precondition-failed' });
      });

      it.each(['absent', 'existing'])('have one winner of ten (%s)', async (kind) => {
        const blobs = fresh();
        const ifGeneration = kind === 'absent' ? 'absent' : (await blobs.put('k', 'old', plain)).generation;
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, i) =>
            blobs.put('k', i % 2 === 0 ? `writer ${i}` : Readable.from([`writer ${i}`]), { ...plain, ifGeneration }),
          ),
        );
        const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
        expect(winners).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'precondition-failed' });
        }
        expect(await text((await blobs.read('k')).body)).toBe(`writer ${winners[0]}`);
      });
    });

    it('gives a reader one whole blob while writers replace it', async () => {
      const blobs = fresh();
      const body = (i: number): Buffer => Buffer.alloc(200_000, String(i));
      await blobs.put('k', body(0), plain);
      const writing = (async () => {
        for (let i = 1; i < 10; i += 1) await blobs.put('k', body(i), plain);
      })();
      for (let i = 0; i < 10; i += 1) {
        const read = await buffer((await blobs.read('k')).body);
        expect(new Set(read).size).toBe(1);
        expect(read).toHaveLength(200_000);
      }
      await writing;
    });

    describe('lists', () => {
      it('walks all keys once, in order, page by page', async () => {
        const blobs = fresh();
        const keys = ['a', 'a-b', 'a.b', 'a/b', 'a/c/d', 'b', 'B', 'c_1'];
        for (const key of keys) await blobs.put(key, key, plain);
        const seen: string[] = [];
        let cursor: string | null | undefined;
        while (cursor !== null) {
          const page = await blobs.list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
          expect(page.items.length).toBeLessThanOrEqual(3);
          seen.push(...page.items.map(({ key }) => key));
          cursor = page.nextCursor;
        }
        expect(seen).toEqual([...keys].sort());
      });

      it('takes a prefix that ends anywhere', async () => {
        const blobs = fresh();
        for (const key of ['reports/1', 'reports/10', 'reports/2', 'other']) await blobs.put(key, key, plain);
        const list = async (prefix: string) => (await blobs.list({ prefix, limit: 10 })).items.map(({ key }) => key);
        expect(await list('reports/')).toEqual(['reports/1', 'reports/10', 'reports/2']);
        expect(await list('reports/1')).toEqual(['reports/1', 'reports/10']);
        expect(await list('none')).toEqual([]);
        expect((await blobs.list({ limit: 10 })).items[0]).toEqual(await blobs.info('other'));
      });

      it.each([
        { limit: 0 },
        { limit: 1_001 },
        { limit: 1.5 },
        { limit: 1, prefix: '../x' },
        { limit: 1, prefix: '/' },
      ])('refuses %j', async (request) => {
        await expect(fresh().list(request)).rejects.toMatchObject({ code: 'invalid-request' });
      });

      it('refuses a cursor that it did not give', async () => {
        await expect(fresh().list({ limit: 1, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid-cursor' });
      });
    });

    describe('tenants', () => {
      it('see nothing of each other', async () => {
        const [a, b] = [fresh(), fresh()];
        await a.put('k', 'of a', plain);
        const generation = (await a.info('k'))?.generation ?? '';
        expect(await b.info('k')).toBeUndefined();
        await expect(b.read('k')).rejects.toMatchObject({ code: 'not-found' });
        expect((await b.list({ limit: 10 })).items).toEqual([]);
        await b.delete('k');
        if (capabilities.preconditions)
          await expect(b.delete('k', { generation })).rejects.toMatchObject({ code: 'precondition-failed' });
        await b.put('k', 'of b', plain);
        expect(await text((await a.read('k')).body)).toBe('of a');
      });

      it("gain nothing from another's cursor", async () => {
        const [a, b] = [fresh(), fresh()];
        for (const key of ['1', '2', '3']) await a.put(key, key, plain);
        const { nextCursor } = await a.list({ limit: 1 });
        expect((await b.list({ limit: 10, cursor: nextCursor ?? '' })).items).toEqual([]);
      });

      it.each(['', '.', '..', '../x', 'a/b', 'a\\b', 'a\0', '.tmp', 'a b', 'ä', 'x'.repeat(129)])(
        'cannot be called %j',
        (tenant) => {
          expect(() => under.blobs.of(tenant)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
        },
      );
    });

    it.each([
      '',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a\\..\\b',
      'a b',
      'a\0b',
      'a%2e%2e',
      'ä',
      'a\n',
      'a?b',
      'a#b',
      'x'.repeat(513),
    ])('refuses the key %j', async (key) => {
      const blobs = fresh();
      const calls = [
        () => blobs.put(key, 'x', plain),
        () => blobs.read(key),
        () => blobs.info(key),
        () => blobs.delete(key),
        () => blobs.signedUrl(key, { action: 'read', expiresIn: 60 }),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'invalid-request' });
    });

    it.each<PutOptions>([
      { contentType: 'nonsense' },
      { contentType: 'text/plain\r\nx-evil: 1' },
      { ...plain, metadata: { 'Bad Key': 'x' } },
      { ...plain, metadata: { a: 'x'.repeat(8 * 1024) } },
    ])('refuses the options %j', async (options) => {
      await expect(fresh().put('k', 'x', options)).rejects.toMatchObject({ code: 'invalid-request' });
    });

    it('takes keys of 512 characters', async () => {
      const blobs = fresh();
      const key = `${'x'.repeat(300)}/${'y'.repeat(211)}`;
      await blobs.put(key, 'long', plain);
      expect(await text((await blobs.read(key)).body)).toBe('long');
    });

    it.each([0, -1, 1.5, 7 * 24 * 3600 + 1])('signs no URL for %d seconds', async (expiresIn) => {
      await expect(fresh().signedUrl('k', { action: 'read', expiresIn })).rejects.toMatchObject({
        code: 'invalid-request',
      });
    });

    describe.runIf(capabilities.signedUrls)('signed URLs', () => {
      it('read without credentials, ranges too', async () => {
        const blobs = fresh();
        await blobs.put('a/digits.txt', '0123456789', plain);
        const url = await blobs.signedUrl('a/digits.txt', { action: 'read', expiresIn: 60 });
        const whole = await fetch(url);
        expect([whole.status, whole.headers.get('content-type'), await whole.text()]).toEqual([
          200,
          'text/plain',
          '0123456789',
        ]);
        const part = await fetch(url, { headers: { range: 'bytes=2-4' } });
        expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
          206,
          'bytes 2-4/10',
          '234',
        ]);
        expect((await fetch(url, { headers: { range: 'bytes=10-' } })).status).toBe(416);
      });

      it('write, and bind the content type', async () => {
        const blobs = fresh();
        const url = await blobs.signedUrl('in.csv', { action: 'write', expiresIn: 60, contentType: 'text/csv' });
        const put = (contentType: string) =>
          fetch(url, { method: 'PUT', body: 'a,b', headers: { 'content-type': contentType } });
        expect((await put('text/html')).status).toBe(403);
        expect(await blobs.info('in.csv')).toBeUndefined();
        expect((await put('text/csv')).status).toBe(200);
        expect(await blobs.info('in.csv')).toMatchObject({ size: 3, contentType: 'text/csv' });
      });

      it('write no more than they were made for', async () => {
        const blobs = fresh();
        const bounds = { contentType: 'text/csv', maxBytes: 10 };
        const url = await blobs.signedUrl('in.csv', { action: 'write', expiresIn: 60, ...bounds });
        const headers = uploadHeaders(bounds);
        const put = (body: string, sent = headers) => fetch(url, { method: 'PUT', body, headers: sent });
        expect([400, 413]).toContain((await put('x'.repeat(11))).status);
        const more = { ...headers, 'x-goog-content-length-range': '0,1000' };
        expect((await put('x'.repeat(11), more)).ok).toBe(false);
        expect(await blobs.info('in.csv')).toBeUndefined();
        expect((await put('x'.repeat(10))).status).toBe(200);
        expect(await blobs.info('in.csv')).toMatchObject({ size: 10 });
      });

      it('do nothing but what they were signed for', async () => {
        const blobs = fresh();
        await blobs.put('k', 'x', plain);
        await blobs.put('other', 'x', plain);
        const url = await blobs.signedUrl('k', { action: 'read', expiresIn: 60 });
        const signature = /(?<=signature=)[\w-]{6}/i;
        const later = (_: string, before: string, digit: string) => before + String((Number(digit) + 1) % 10);
        const attacks: [string, RequestInit?][] = [
          [url, { method: 'PUT', body: 'y' }],
          [url, { method: 'DELETE' }],
          [url.replace('/k?', '/other?')],
          [url.replace(signature, '000000')],
          [url.replace(/(expires=)60/i, '$13600').replace(/(expires=\d{9})(\d)/, later)],
        ];
        expect(attacks.filter(([target, init]) => target === url && init === undefined)).toEqual([]);
        for (const [target, init] of attacks) expect((await fetch(target, init)).status).toBe(403);
        expect(await text((await blobs.read('k')).body)).toBe('x');
      });

      it('answer 404 for what is absent', async () => {
        const url = await fresh().signedUrl('nothing', { action: 'read', expiresIn: 60 });
        expect((await fetch(url)).status).toBe(404);
      });
    });
  });
};
