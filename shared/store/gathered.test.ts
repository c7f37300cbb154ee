import { expect, it } from 'vitest';
import { gathered } from './gathered.ts';

const recording = (maxSize = 100) => {
  const rounds: (readonly string[])[] = [];
  const get = gathered(async (keys: readonly string[]) => {
    rounds.push([...keys]);
    return keys.map((key) => key.toUpperCase());
  }, maxSize);
  return { rounds, get };
};

it('makes one round of what is asked for side by side, and gives each its own answers', async () => {
  const { rounds, get } = recording();
  expect(await Promise.all([get(['a', 'b']), get([]), get(['c']), get(['a'])])).toEqual([['A', 'B'], [], ['C'], ['A']]);
  expect(rounds).toEqual([['a', 'b', 'c', 'a']]);
});

it('takes along who asks a few microtasks later', async () => {
  const { rounds, get } = recording();
  const later = async () => {
    await undefined;
    await undefined;
    return get(['b']);
  };
  expect(await Promise.all([get(['a']), later()])).toEqual([['A'], ['B']]);
  expect(rounds).toHaveLength(1);
});

it('begins the next round for who asks once one has left', async () => {
  const { rounds, get } = recording();
  await get(['a']);
  await get(['b']);
  expect(rounds).toEqual([['a'], ['b']]);
});

it('has no more keys in a round than it may, unless one call has', async () => {
  const { rounds, get } = recording(3);
  expect(await Promise.all([get(['a', 'b']), get(['c', 'd']), get(['e', 'f', 'g', 'h'])])).toEqual([
    ['A', 'B'],
    ['C', 'D'],
    ['E', 'F', 'G', 'H'],
  ]);
  expect(rounds.map(({ length }) => length)).toEqual([2, 2, 4]);
});

it('fails for all of a round, and for nobody after it', async () => {
  let fails = true;
  const get = gathered(async (keys: readonly string[]) => {
    if (fails) throw new Error('It is down.');
    return keys;
  }, 10);
  const outcomes = await Promise.allSettled([get(['a']), get(['b'])]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await get(['c'])).toEqual(['c']);
});
