import fc from 'fast-check';
import { type JsonSchema, judgeOf, type Schemas, valid } from './json-schema.ts';

/** In every bad value that is text: no answer may have it. */
export const marker = 'Zq7EchoMe';

export const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
/** Bytes, which need no encoding each time. */
export const tenMegabytes = new TextEncoder().encode(JSON.stringify(marker + 'x'.repeat(10_000_000)));
export const hugeArray = `[${'0,'.repeat(100_000)}0]`;

/** Replaced in the text, because JSON.stringify has no way to write a number that overflows. */
const overflow = 'NUMBER-THAT-OVERFLOWS';
export const textOf = (value: unknown): string => JSON.stringify(value).replaceAll(`"${overflow}"`, '1e999') ?? '';

const wrongValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER, overflow),
  fc.constantFrom<unknown>('', marker, marker.repeat(20_000), `${marker}\u0000`, `${marker}\ud800`, `${marker}😀`),
  fc.constantFrom<unknown>([], {}, [marker], { other: marker }, [[[]]]),
  fc.constantFrom(`{"deep":${deep(1_000)}}`, deep(1_000)).map((text): unknown => JSON.parse(text)),
  fc.string({ unit: 'binary' }).map((text) => marker + text),
);

/** Keys that reach for prototypes, and plain unknown ones. */
export const unknownKeys = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '$where', 'tenant', ''),
  fc.string({ minLength: 1, maxLength: 300 }),
);

type Path = readonly (string | number)[];

/** Where there is something in a value, the value itself first. */
const placesIn = (value: unknown, at: Path = []): Path[] => [
  at,
  ...(typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, item]) => placesIn(item, [...at, Array.isArray(value) ? Number(key) : key]))
    : []),
];

/** A copy in which `change` was done to what is at `path`; what becomes undefined is left out. */
const changed = (value: unknown, [first, ...rest]: Path, change: (there: unknown) => unknown): unknown => {
  if (first === undefined) return change(value);
  if (Array.isArray(value)) return value.map((item, i) => (i === first ? changed(item, rest, change) : item));
  const entries = Object.entries(typeof value === 'object' && value !== null ? value : {}).map(
    ([key, item]) => [key, key === first ? changed(item, rest, change) : item] as const,
  );
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
};

const withKey = (value: unknown, key: string): unknown =>
  Object.fromEntries([...Object.entries(typeof value === 'object' && value !== null ? value : {}), [key, marker]]);

/** A fitting value with one thing wrong with it, as JSON text. The schema itself judges that it is wrong. */
export const badJson = (schema: JsonSchema, schemas: Schemas): fc.Arbitrary<string> => {
  const judge = judgeOf(schema, schemas);
  const change: fc.Arbitrary<(there: unknown) => unknown> = fc.oneof(
    wrongValues.map((wrong) => () => wrong),
    fc.constant(() => undefined),
    unknownKeys.map((key) => (there: unknown) => withKey(there, key)),
  );
  return fc
    .tuple(valid(schema, schemas), fc.nat(), change)
    .map(([value, nth, how]) => {
      const places = placesIn(value);
      return changed(value, places[nth % places.length] ?? [], how);
    })
    .filter((value) => value !== undefined && judge(JSON.parse(textOf(value))) !== undefined)
    .map(textOf);
};

export const malformed = (whole: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      '',
      '{',
      '"',
      'nul',
      'NaN',
      'undefined',
      "{'a':1}",
      '{"a":1,}',
      '[1,]',
      '\u0000',
      '{"a":01}',
      '//{}',
    ),
    fc.constantFrom('['.repeat(1_000), '['.repeat(200_000), '{"a":'.repeat(1_000)),
    fc.tuple(whole, fc.nat()).map(([text, at]) => text.slice(0, at % text.length)),
    whole.map((text) => `${text},`),
  );
