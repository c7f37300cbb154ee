import { expect, it } from 'vitest';
import { inTurns } from './turns.ts';

/** Work that ends when it is told to. */
const held = () => {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { promise, resolve, reject };
};

it('runs as many at a time as it may, and the others in their order', async () => {
  const turn = inTurns(2);
  const works = Array.from({ length: 4 }, held);
  const begun: number[] = [];
  const all = works.map(({ promise }, i) =>
    turn(() => {
      begun.push(i);
      return promise;
    }),
  );
  expect(begun).toEqual([0, 1]);
  works[1]?.resolve('second');
  expect(await all[1]).toBe('second');
  expect(begun).toEqual([0, 1, 2]);
  works[0]?.resolve('first');
  works[2]?.resolve('third');
  works[3]?.resolve('fourth');
  expect(await Promise.all(all)).toEqual(['first', 'second', 'third', 'fourth']);
  expect(begun).toEqual([0, 1, 2, 3]);
});

it('goes on after work that fails', async () => {
  const turn = inTurns(1);
  const failing = turn(() => Promise.reject(new Error('It failed.')));
  const next = turn(async () => 'next');
  await expect(failing).rejects.toThrow('It failed.');
  expect(await next).toBe('next');
  expect(await turn(async () => 'later')).toBe('later');
});
