import fc from 'fast-check';
import { encodeCursor } from '#shared/kernel/page.ts';
import { badJson, deep, hugeArray, malformed, marker, tenMegabytes, textOf, unknownKeys } from './bad-json.ts';
import { type JsonSchema, judgeOf, type Schemas, valid } from './json-schema.ts';
import { type Operation, type Parameter, parametersIn, pathWith } from './operations.ts';
import type { TestRequest } from './runtime.ts';
import { signers } from './signatures.ts';

/** A request that an operation must refuse. */
export interface BadRequest {
  readonly what: string;
  readonly path: string;
  readonly request: TestRequest;
  /** Codes besides those that the operation documents: for what reaches another path or method. */
  readonly beside?: readonly string[];
}

export interface BadRequestOptions {
  /** Values for the path's parameters that find something. */
  readonly ids: Readonly<Record<string, string>>;
  /** Seconds since the Unix epoch. */
  readonly now: number;
}

const mediaTypes = fc.constantFrom(
  '',
  'text/plain',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  'application/problem+json',
  `application/${'x'.repeat(5_000)}`,
);

/** What is wrong with a request; what it leaves open is filled in with what is right. */
interface Fault {
  readonly what: string;
  readonly ids?: Readonly<Record<string, string>>;
  readonly search?: string;
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly beside?: readonly string[];
}
type Faults = fc.Arbitrary<Fault>;

const bodyFaults = (schema: JsonSchema, schemas: Schemas): readonly fc.WeightedArbitrary<Fault>[] => {
  const good = valid(schema, schemas).map(textOf);
  return [
    { weight: 30, arbitrary: badJson(schema, schemas).map((body) => ({ what: 'a body that does not fit', body })) },
    { weight: 8, arbitrary: malformed(good).map((body) => ({ what: 'malformed JSON', body })) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(deep(1_000), deep(200_000), hugeArray, '1e999')
        .map((body) => ({ what: 'junk', body })),
    },
    { weight: 1, arbitrary: fc.constant({ what: 'an oversized body', body: tenMegabytes }) },
    {
      weight: 3,
      arbitrary: mediaTypes.map((type) => ({ what: 'a wrong content type', headers: { 'content-type': type } })),
    },
  ];
};

/** Of a provider's webhook: not signed, wrongly signed, signed too long ago, or well signed and still no webhook. */
const signatureFaults = (path: string, now: number): readonly fc.WeightedArbitrary<Fault>[] => {
  const signer = signers[path];
  if (signer === undefined) throw new Error(`tests/support/signatures.ts does not know how ${path} is signed.`);
  const body = fc.string({ minLength: 1, maxLength: 20 }).map(signer.body);
  const unsigned = fc
    .oneof(
      fc.constantFrom('', marker, 't=,v1=', `t=${now},v1=`, `t=${now},v0=${marker}`, '='.repeat(4_000), 'A'.repeat(44)),
      fc.base64String({ maxLength: 100 }),
      fc.string({ maxLength: 100 }).map((text) => marker + encodeURIComponent(text)),
    )
    .map((signature) => ({ [signer.header]: signature }));
  const faults: fc.WeightedArbitrary<Fault>[] = [
    {
      weight: 10,
      arbitrary: fc.tuple(body, unsigned).map(([text, headers]) => ({
        what: 'no signature',
        body: text,
        headers: { ...signer.headers(text, now), ...headers },
      })),
    },
    {
      weight: 10,
      arbitrary: fc.tuple(body, fc.string({ minLength: 1, maxLength: 40 })).map(([text, secret]) => ({
        what: 'a forged signature',
        body: text,
        headers: signer.headers(text, now, secret),
      })),
    },
    {
      weight: 10,
      arbitrary: fc.tuple(body, body).map(([text, other]) => ({
        what: "another body's signature",
        body: text,
        headers: signer.headers(`${other} `, now),
      })),
    },
    {
      weight: 5,
      arbitrary: fc.oneof(malformed(body), fc.constantFrom('null', '[]', '7', deep(1_000), hugeArray)).map((text) => ({
        what: 'what is no webhook, well signed',
        body: text,
        headers: signer.headers(text, now),
      })),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          body,
          mediaTypes.filter((type) => type !== signer.headers('', now)['content-type']),
        )
        .map(([text, type]) => ({
          what: 'a wrong content type, well signed',
          body: text,
          headers: { ...signer.headers(text, now), 'content-type': type },
        })),
    },
    { weight: 1, arbitrary: fc.constant({ what: 'an oversized body', body: tenMegabytes }) },
  ];
  if (signer.tolerance === undefined) return faults;
  const tooOld = signer.tolerance + 1;
  const replayed = fc.tuple(body, fc.integer({ min: tooOld, max: 1e6 })).map(([text, age]) => ({
    what: 'a replay',
    body: text,
    headers: signer.headers(text, now - age),
  }));
  return [...faults, { weight: 10, arbitrary: replayed }];
};

const oddIds: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('..', '.', '%2e%2e', '%2e%2e%2fetc', '%00', '%0a', '%20', '%2F', '%25', '%E0%A4%A', '%F0%9F%98%80'),
  fc.constantFrom('漢字', '__proto__', 'constructor', "'--", '<b>', '*', '$', '%7B%7B7*7%7D%7D', marker.repeat(50)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }).map(encodeURIComponent),
  fc.string({ minLength: 1, maxLength: 30 }).map((text) => encodeURIComponent(marker + text)),
);

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const idFaults = (operation: Operation): readonly Faults[] =>
  parametersIn(operation, 'path').map(({ name, schema }) => {
    const judge = judgeOf(schema, operation.schemas);
    return oddIds
      .filter((id) => operation.codes.has('not-found') || judge(decoded(id)) !== undefined)
      .map((id) => ({ what: `an odd ${name}`, ids: { [name]: id }, beside: ['not-found', 'method-not-allowed'] }));
  });

const badCursors = fc.oneof(
  fc.constantFrom('', marker, 'forged', '!!!', 'x'.repeat(2_049), 'x'.repeat(100_000), '%00', 'bnVsbA', 'W10', 'e30'),
  fc
    .constantFrom<Parameters<typeof encodeCursor>[0]>(
      [1, ''],
      ['a', '../b'],
      [null, '__proto__'],
      ['a', '\u0000'],
      [0, '.'],
    )
    .map(encodeCursor),
  fc.json().map((text) => Buffer.from(`${text} `).toString('base64url')),
);

const badNumbers = (schema: JsonSchema): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      'NaN',
      'Infinity',
      '-Infinity',
      '1e999',
      '9'.repeat(400),
      '1.5',
      'null',
      'true',
      '[]',
      `1;${marker}`,
    ),
    ...((schema.maximum ?? 1e9) < Number.MAX_SAFE_INTEGER
      ? [fc.integer({ min: (schema.maximum ?? 1e9) + 1, max: Number.MAX_SAFE_INTEGER }).map(String)]
      : []),
    ...((schema.minimum ?? -1e9) > -1e9 ? [fc.integer({ min: -1e9, max: (schema.minimum ?? 0) - 1 }).map(String)] : []),
    fc.string().map((text) => marker + text),
  );

const badTexts = (schema: JsonSchema, schemas: Schemas): fc.Arbitrary<string> => {
  const judge = judgeOf(schema, schemas);
  return fc
    .oneof(
      fc.constantFrom('', marker, marker.repeat(1_000), `${marker}\u0000`, 'null', '__proto__', '2026-02-30'),
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.string({ maxLength: 20 }).map((text) => `${marker}${text}\u0007`),
    )
    .filter((text) => judge(text) !== undefined);
};

const badQueryValue = ({ name, schema }: Parameter, schemas: Schemas): fc.Arbitrary<string> => {
  if (name === 'cursor') return badCursors;
  return schema.type === 'integer' || schema.type === 'number' ? badNumbers(schema) : badTexts(schema, schemas);
};

const queryFaults = (operation: Operation): readonly Faults[] => {
  const known = parametersIn(operation, 'query');
  const names = new Set(known.map(({ name }) => name));
  const pair = (name: string, value: string): string => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  const unknown = unknownKeys
    .filter((name) => name !== '' && name.isWellFormed() && !names.has(name))
    .map((name) => ({ what: 'an unknown query parameter', search: pair(name, marker) }));
  return [
    unknown,
    ...known.map((parameter) =>
      badQueryValue(parameter, operation.schemas).map((value) => ({
        what: `a bad ${parameter.name}`,
        search: pair(parameter.name, value),
      })),
    ),
    ...known.map(({ name, schema }) =>
      valid(schema, operation.schemas).map((value) => ({
        what: `${name} twice`,
        search: `${pair(name, String(value))}&${pair(name, String(value))}`,
      })),
    ),
  ];
};

const credentialFaults: Faults = fc
  .oneof(
    fc.constantFrom('', 'Bearer', 'Bearer ', 'Bearer a b', `Basic ${marker}`, `Bearer ${marker.repeat(1_000)}`),
    fc.constant(`Bearer omk_${'0'.repeat(16)}_${'x'.repeat(43)}000000`),
    fc.string({ minLength: 1, maxLength: 100 }).map((text) => `Bearer ${marker}${encodeURIComponent(text)}`),
  )
  .map((authorization) => ({ what: 'a bad credential', headers: { authorization } }));

const methodFaults = ({ methods }: Operation): Faults =>
  fc
    .constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'X'.repeat(100))
    .filter((method) => !methods.includes(method))
    .map((method) => ({ what: 'a wrong method', method, beside: ['method-not-allowed', 'not-found'] }));

const partsOf = ({ body, path, schemas, method }: Operation, now: number): readonly fc.WeightedArbitrary<Fault>[] => {
  if (body === 'raw') return signatureFaults(path, now);
  if (body !== undefined) return bodyFaults(body, schemas);
  return method === 'GET'
    ? []
    : [
        {
          weight: 4,
          arbitrary: fc
            .constantFrom<string | Uint8Array>('{}', deep(1_000), tenMegabytes)
            .map((text) => ({ what: 'a body', body: text })),
        },
      ];
};

const goodBody = ({ body, path, schemas }: Operation, now: number): fc.Arbitrary<Pick<Fault, 'body' | 'headers'>> => {
  if (body === undefined) return fc.constant({});
  if (body !== 'raw') return valid(body, schemas).map((value) => ({ body: textOf(value) }));
  return fc.uuid().map((id) => {
    const text = signers[path]?.body(id) ?? '';
    return { body: text, headers: signers[path]?.headers(text, now) ?? {} };
  });
};

const odd = ['', 'x'.repeat(8_000), '../../etc/passwd', '00-0-0-0', '%0d%0aset-cookie: a=b', 'null', '{}'];
/** What no operation reads, or must not trip over. */
const oddHeaders = fc.dictionary(
  fc.constantFrom(
    'traceparent',
    'tracestate',
    'if-none-match',
    'x-request-id',
    'accept',
    'omni-tenant',
    'x-forwarded-for',
  ),
  fc.constantFrom(...odd),
  { maxKeys: 3 },
);

const idempotencyKeyFaults = (operation: Operation): readonly Faults[] =>
  parametersIn(operation, 'header').map(({ name }) =>
    fc
      .constantFrom('', 'a b', marker.repeat(50), 'é')
      .map((key) => ({ what: `a bad ${name}`, headers: { [name]: key } })),
  );

/** Requests that an operation must refuse, with a right credential unless that is what is wrong. */
export const badRequests = (operation: Operation, { ids, now }: BadRequestOptions): fc.Arbitrary<BadRequest> => {
  const encodings = fc.constantFrom('gzip', 'br', 'identity, gzip', 'x'.repeat(1_000));
  const faults = fc.oneof(
    ...partsOf(operation, now),
    ...idFaults(operation).map((arbitrary) => ({ weight: 10, arbitrary })),
    ...queryFaults(operation).map((arbitrary) => ({ weight: 5, arbitrary })),
    ...idempotencyKeyFaults(operation).map((arbitrary) => ({ weight: 2, arbitrary })),
    { weight: 2, arbitrary: credentialFaults },
    { weight: 2, arbitrary: methodFaults(operation) },
    ...(operation.method === 'GET'
      ? []
      : [
          {
            weight: 2,
            arbitrary: encodings.map((name) => ({ what: 'an encoded body', headers: { 'content-encoding': name } })),
          },
        ]),
  );
  return fc
    .tuple<[Fault, Fault, Record<string, string>]>(
      faults,
      goodBody(operation, now).map((good) => ({ what: '', ...good })),
      oddHeaders,
    )
    .map(([fault, good, others]) => {
      const method = fault.method ?? operation.method;
      const body = method === 'GET' ? undefined : (fault.body ?? good.body);
      const path = `${pathWith(operation.path, { ...ids, ...fault.ids })}${fault.search === undefined ? '' : `?${fault.search}`}`;
      return {
        what: fault.what,
        path,
        request: {
          method,
          headers: { ...others, ...good.headers, ...fault.headers },
          ...(body === undefined ? {} : { body }),
        },
        ...(fault.beside === undefined ? {} : { beside: fault.beside }),
        [fc.toStringMethod]: () =>
          `${fault.what}: ${method} ${path.slice(0, 300)} ${JSON.stringify(fault.headers ?? {}).slice(0, 300)} ${typeof body === 'string' ? body.slice(0, 500) : body?.length}`,
      };
    });
};
