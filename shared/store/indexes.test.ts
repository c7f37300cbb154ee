import { describe, expect, it } from 'vitest';
import type { AnyCollection, IndexDefinition } from './collection.ts';
import { firestoreIndexes, missingIndex, type QueryShape, requiredIndex } from './indexes.ts';

const eq = (field: string) => ({ field, op: '==' }) as const;
const range = (field: string) => ({ field, op: '>=' }) as const;
const has = (field: string) => ({ field, op: 'contains' }) as const;
const by = (field: string, order: 'asc' | 'desc' = 'asc') => ({ field, order });

/** `a asc, b desc` */
const text = (index: IndexDefinition | undefined): string | undefined =>
  index?.fields.map(({ field, order }) => `${field} ${order}`).join(', ');
const indexOf = (text: string): IndexDefinition => ({
  fields: text.split(', ').map((one) => {
    const [field = '', order] = one.split(' ');
    return { field, order: order === 'desc' || order === 'contains' ? order : 'asc' };
  }),
});

describe('the composite index that a query needs', () => {
  it.each<[string, QueryShape, string | undefined]>([
    ['nothing', { where: [] }, undefined],
    ['equality alone, which single-field indexes are merged for', { where: [eq('a'), eq('b'), has('c')] }, undefined],
    ['an order alone', { where: [], orderBy: by('a', 'desc') }, undefined],
    ['a range on what it orders by', { where: [range('a'), range('a')], orderBy: by('a', 'desc') }, undefined],
    ['an order by what is equal', { where: [eq('a'), eq('b')], orderBy: by('a') }, undefined],
    ['equality and an order', { where: [eq('a')], orderBy: by('t', 'desc') }, 'a asc, t desc'],
    ['a member and an order', { where: [has('a'), eq('b')], orderBy: by('t') }, 'a contains, b asc, t asc'],
    ['several values and an order', { where: [{ field: 'a', op: 'in' }], orderBy: by('t') }, 'a asc, t asc'],
    ['equality and a range', { where: [eq('a'), range('t')], orderBy: by('t') }, 'a asc, t asc'],
    ['an aggregate over two ranges', { where: [range('t'), range('u')] }, 't asc, u asc'],
    ['the sum of a field', { where: [], over: 'n' }, undefined],
    ['the sum of a field where another is equal', { where: [eq('a')], over: 'n' }, 'a asc, n asc'],
    ['the sum of a field in a range of another', { where: [range('t')], over: 'n' }, 't asc, n asc'],
  ])('for %s', (_, shape, expected) => {
    expect(text(requiredIndex(shape))).toBe(expected);
  });
});

describe('a declared index', () => {
  const collection = (...indexes: string[]): AnyCollection => ({
    name: 'things',
    scope: 'tenant',
    indexes: indexes.map(indexOf),
  });
  const shape: QueryShape = { where: [eq('a'), eq('b')], orderBy: by('t', 'desc') };

  it.each([
    ['is the one', ['a asc, b asc, t desc'], true],
    ['has its equal fields in any order', ['b asc, a asc, t desc'], true],
    ['is merged with another that ends alike', ['a asc, t desc', 'b asc, t desc'], true],
    ['covers a part', ['a asc, t desc'], false],
    ['runs the other way', ['a asc, b asc, t asc'], false],
    ['is merged with one that ends otherwise', ['a asc, t desc', 'b asc, t asc'], false],
    ['has a field too many', ['a asc, b asc, c asc, t desc'], false],
    ['is for members', ['a contains, b asc, t desc'], false],
  ])('that %s', (_, indexes, serves) => {
    expect(missingIndex(collection(...indexes), shape) === undefined).toBe(serves);
  });
});

it('writes what Firebase deploys', () => {
  const collections: AnyCollection[] = [
    {
      name: 'passages',
      scope: 'tenant',
      ttl: 'until',
      vector: { field: 'embedding', dimension: 3 },
      indexes: [indexOf('tags contains, rank desc'), indexOf('topic asc, embedding asc')],
    },
    { name: 'inbox', scope: 'platform', ttl: 'until', unindexed: ['event'] },
  ];
  const vectorConfig = { dimension: 3, flat: {} };
  const passages = { collectionGroup: 'passages' };
  const inbox = { collectionGroup: 'inbox' };
  expect(firestoreIndexes(collections)).toEqual({
    indexes: [
      {
        ...passages,
        queryScope: 'COLLECTION',
        fields: [
          { fieldPath: 'tags', arrayConfig: 'CONTAINS' },
          { fieldPath: 'rank', order: 'DESCENDING' },
        ],
      },
      {
        ...passages,
        queryScope: 'COLLECTION',
        fields: [
          { fieldPath: 'topic', order: 'ASCENDING' },
          { fieldPath: 'embedding', vectorConfig },
        ],
      },
      { ...passages, queryScope: 'COLLECTION', fields: [{ fieldPath: 'embedding', vectorConfig }] },
    ],
    fieldOverrides: [
      { ...passages, fieldPath: '_write', indexes: [] },
      {
        ...passages,
        fieldPath: '_expireAt',
        ttl: true,
        indexes: [{ order: 'ASCENDING', queryScope: 'COLLECTION' }],
      },
      { ...inbox, fieldPath: '_write', indexes: [] },
      { ...inbox, fieldPath: 'event', indexes: [] },
      { ...inbox, fieldPath: '_expireAt', ttl: true, indexes: [] },
    ],
  });
});
