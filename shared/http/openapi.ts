import * as z from 'zod';
import type { ErrorCode } from '../kernel/errors.ts';
import { type AnyEndpoint, isRepeatable, type Route } from './endpoint.ts';
import { problemSchema, problems } from './problem.ts';

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly servers?: readonly string[];
}

type Json = Record<string, unknown>;

/** OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Its schemas are JSON Schema 2020-12, which zod writes. */
export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: Json;
  readonly servers?: readonly Json[];
  readonly tags: readonly Json[];
  readonly paths: Record<string, Record<string, Json>>;
  readonly components: { readonly schemas: Record<string, unknown>; readonly securitySchemes: Json };
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A bad credential and a foreign web origin are refused wherever they are sent, also where anybody may call. */
const everyOperation: readonly ErrorCode[] = [
  'invalid-request',
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'internal',
  'unavailable',
];

type Io = 'input' | 'output';

/** A schema as JSON Schema, and by name all that it consists of. */
const jsonSchemas = (
  schema: z.ZodType,
  io: Io,
): { readonly root: Json; readonly named: Readonly<Record<string, Json>> } => {
  const { $schema: _, $defs, ...root } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  const defined = Object.entries($defs ?? {}).flatMap(([name, body]) =>
    isObject(body) ? [[name, body] as const] : [],
  );
  const own = typeof root.id === 'string' ? [[root.id, root] as const] : [];
  return { root, named: Object.fromEntries([...defined, ...own]) };
};

/** Without what an answer always says of unknown fields: that there are none. */
const textOf = (schema: unknown): string =>
  JSON.stringify(schema, (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value,
  ) ?? '';

/**
 * Turns zod schemas into references to named components, and keeps what it named. What is one thing in a request and
 * another in an answer, because of a default for instance, is `ThingInput` there and `Thing` here.
 */
const componentsOf = () => {
  const schemas: Record<string, unknown> = {};
  const convert = (schema: z.ZodType, io: Io): Json => {
    const asked = jsonSchemas(schema, 'input');
    const answered = jsonSchemas(schema, 'output');
    const isOne = (name: string): boolean => textOf(asked.named[name]) === textOf(answered.named[name]);
    // Where both are one, the input's: it alone tells whether unknown fields are refused.
    const { root, named } = io === 'input' ? asked : answered;
    const nameOf = (name: string): string => (io === 'output' || isOne(name) ? name : `${name}Input`);
    const bodyOf = (name: string): unknown => (isOne(name) ? asked.named[name] : named[name]);
    const hoist = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(hoist);
      if (!isObject(value)) return value;
      const { id: _, ...fields } = value;
      return Object.fromEntries(
        Object.entries(typeof value.id === 'string' ? fields : value).map(([key, item]) => [
          key,
          key === '$ref' && typeof item === 'string'
            ? `#/components/schemas/${nameOf(item.replace('#/$defs/', ''))}`
            : hoist(item),
        ]),
      );
    };
    for (const name of Object.keys(named)) schemas[nameOf(name)] = hoist(bodyOf(name));
    if (typeof root.id === 'string') return { $ref: `#/components/schemas/${nameOf(root.id)}` };
    const body = hoist(root);
    return isObject(body) ? body : {};
  };
  return { schemas, convert };
};

type Convert = ReturnType<typeof componentsOf>['convert'];

/** An object schema's fields as parameters. */
const parametersOf = (where: 'path' | 'query', schema: z.ZodType | undefined, convert: Convert): Json[] => {
  if (schema === undefined) return [];
  const { properties, required } = convert(schema, 'input');
  const names = Array.isArray(required) ? required : [];
  return Object.entries(isObject(properties) ? properties : {}).map(([name, field]) => {
    const { description, ...rest } = isObject(field) ? field : {};
    return {
      name,
      in: where,
      required: where === 'path' || names.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
};

const idempotencyKey: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Repeat a request with the same key and it runs once: the repetition gets the first answer.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

const codesOf = (contract: AnyEndpoint): ErrorCode[] => {
  const codes = new Set<ErrorCode>([...everyOperation, ...(contract.errors ?? [])]);
  if (contract.method !== 'get') {
    for (const code of ['payload-too-large', 'unsupported-media-type'] as const) codes.add(code);
  }
  if (contract.body !== undefined) codes.add('malformed-json');
  if (typeof contract.access === 'object' && contract.access.stepUp !== undefined) codes.add('step-up-required');
  if (isRepeatable(contract)) {
    for (const code of ['idempotency-in-flight', 'idempotency-mismatch'] as const) codes.add(code);
  }
  return [...codes];
};

const refusalsOf = (contract: AnyEndpoint): Json => {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codesOf(contract)) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(' '),
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      ]),
  );
};

const requestBodyOf = (contract: AnyEndpoint, convert: Convert): Json => {
  if (contract.body !== undefined) {
    return {
      requestBody: { required: true, content: { 'application/json': { schema: convert(contract.body, 'input') } } },
    };
  }
  if (contract.rawBody === true) {
    return { requestBody: { required: true, content: { 'application/json': { schema: {} } } } };
  }
  return {};
};

const tagOf = (path: string): string => {
  const [, first = '', , route = ''] = path.split('/');
  return first === 'api' ? route : first === 'webhooks' ? 'webhooks' : 'operations';
};

const operationOf = (contract: AnyEndpoint, convert: Convert): Json => {
  const { access } = contract;
  return {
    operationId: `${contract.method}${contract.path.replaceAll(/[^a-zA-Z0-9]+(\w)?/g, (_match, letter = '') => String(letter).toUpperCase())}`,
    tags: [tagOf(contract.path)],
    summary: contract.summary,
    ...(contract.description === undefined ? {} : { description: contract.description }),
    ...(typeof access === 'object' ? { security: [{ apiKey: [] }], 'x-scopes': access.scopes } : { security: [] }),
    ...(typeof access === 'object' && access.person === true ? { 'x-person': true } : {}),
    ...(typeof access === 'object' && access.stepUp !== undefined
      ? { 'x-step-up': { acr: access.stepUp.acr, maxAge: access.stepUp.maxAge } }
      : {}),
    parameters: [
      ...parametersOf('path', contract.params, convert),
      ...parametersOf('query', contract.query, convert),
      ...(isRepeatable(contract) ? [idempotencyKey] : []),
    ],
    ...requestBodyOf(contract, convert),
    responses: {
      [String(contract.status)]: {
        description: 'Success',
        ...(contract.response === undefined
          ? {}
          : {
              content: {
                [contract.html === true ? 'text/html' : 'application/json']: {
                  schema: convert(contract.response, 'output'),
                },
              },
            }),
      },
      ...refusalsOf(contract),
    },
  };
};

/** The document of some routes. Internal ones are left out: they are no part of the API. */
export const openApiDocument = (info: OpenApiInfo, routes: readonly Route[]): OpenApiDocument => {
  const { schemas, convert } = componentsOf();
  const paths: OpenApiDocument['paths'] = {};
  convert(problemSchema, 'output');
  for (const { endpoint: contract } of routes) {
    if (contract.access === 'internal') continue;
    paths[contract.path] = { ...paths[contract.path], [contract.method]: operationOf(contract, convert) };
  }
  const tags = [...new Set(Object.keys(paths).map(tagOf))].sort();
  return {
    openapi: '3.1.1',
    info: { title: info.title, version: info.version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    ...(info.servers === undefined ? {} : { servers: info.servers.map((url) => ({ url })) }),
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key (`omk_…`) or an access token.' },
      },
    },
  };
};

/** Everything under its name. Throws where one name stands for two things. */
const joined = <T>(kind: string, parts: readonly Readonly<Record<string, T>>[]): Record<string, T> => {
  const all = new Map<string, T>();
  for (const [name, value] of parts.flatMap((part) => Object.entries(part))) {
    const known = all.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(value)) {
      throw new Error(`Two functions have a ${kind} ${name}, and not the same one.`);
    }
    all.set(name, value);
  }
  return Object.fromEntries(all);
};

/** One document of several functions. Throws when two of them mean different things by one path or schema name. */
export const joinOpenApi = (info: OpenApiInfo, documents: readonly OpenApiDocument[]): OpenApiDocument => {
  const base = openApiDocument(info, []);
  const tags = new Map(documents.flatMap((document) => document.tags).map((tag) => [JSON.stringify(tag), tag]));
  return {
    ...base,
    tags: [...tags.values()],
    paths: joined(
      'path',
      documents.map(({ paths }) => paths),
    ),
    components: {
      ...base.components,
      schemas: joined(
        'schema',
        [base, ...documents].map(({ components }) => components.schemas),
      ),
    },
  };
};
