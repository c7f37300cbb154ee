import * as z from 'zod';
import { loadFunctions } from '#scripts/lib/functions.ts';
import type { App } from '#shared/http/app.ts';
import { type JsonSchema, jsonSchema, type Schemas } from './json-schema.ts';
import { request, type TestRuntime } from './runtime.ts';

const parameterSchema = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  required: z.boolean(),
  description: z.string().optional(),
  schema: jsonSchema,
});
export type Parameter = z.infer<typeof parameterSchema>;

const contentSchema = z.record(z.string(), z.object({ schema: jsonSchema })).optional();

const operationSchema = z.object({
  operationId: z.string(),
  tags: z.array(z.string()),
  summary: z.string(),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  'x-scopes': z.array(z.string()).optional(),
  'x-person': z.boolean().optional(),
  parameters: z.array(parameterSchema),
  requestBody: z.object({ required: z.boolean(), content: contentSchema }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: contentSchema })),
});

const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.object({ schemas: z.record(z.string(), jsonSchema) }),
});

/** One operation of the API as its function's own OpenAPI document describes it. */
export interface Operation {
  readonly app: App;
  /** `POST /api/v1/things/{id}` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Methods that are served at this path, also by another pattern that fits it. */
  readonly methods: readonly string[];
  /** Undefined where anybody may call. */
  readonly scopes: readonly string[] | undefined;
  /** For people who are signed in; keys are refused. */
  readonly person: boolean;
  readonly parameters: readonly Parameter[];
  /** `raw` is judged by its signature. */
  readonly body: JsonSchema | 'raw' | undefined;
  /** The schema of each documented answer by its status; undefined where it has no content. */
  readonly answers: ReadonlyMap<number, JsonSchema | undefined>;
  /** Every problem code that the document names. */
  readonly codes: ReadonlySet<string>;
  readonly schemas: Schemas;
  readonly described: z.infer<typeof operationSchema>;
}

const contentOf = (content: z.infer<typeof contentSchema>): JsonSchema | undefined =>
  Object.values(content ?? {})[0]?.schema;

const bodyOf = ({ requestBody }: z.infer<typeof operationSchema>): Operation['body'] => {
  if (requestBody === undefined) return undefined;
  const schema = contentOf(requestBody.content) ?? {};
  return Object.keys(schema).length === 0 ? 'raw' : schema;
};

const operationsOf = (app: App, { paths, components }: z.infer<typeof documentSchema>): Operation[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, described]) => {
      const responses = Object.entries(described.responses);
      const codes = responses.flatMap(([, { description }]) => [...description.matchAll(/`([a-z-]+)`:/g)]);
      return {
        app,
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        methods: Object.keys(paths)
          .filter((other) => new RegExp(`^${other.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path))
          .flatMap((other) => Object.keys(paths[other] ?? {}))
          .map((one) => one.toUpperCase()),
        scopes: described['x-scopes'],
        person: described['x-person'] ?? false,
        parameters: described.parameters,
        body: bodyOf(described),
        answers: new Map(responses.map(([status, { content }]) => [Number(status), contentOf(content)])),
        codes: new Set(codes.map(([, code = '']) => code)),
        schemas: components.schemas,
        described,
      };
    }),
  );

/** Starts every function, with its jobs, and lists what they offer to the outside. Health is listed once. */
export const startOperations = async (runtime: TestRuntime): Promise<readonly Operation[]> => {
  const all = new Map<string, Operation>();
  for (const { definition, createServices } of await loadFunctions()) {
    const app = runtime.start(definition, createServices);
    const document = documentSchema.parse(await (await request(app, '/openapi.json')).json());
    for (const operation of operationsOf(app, document)) {
      if (!all.has(operation.name)) all.set(operation.name, operation);
    }
  }
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
};

export const parametersIn = ({ parameters }: Operation, where: Parameter['in']): readonly Parameter[] =>
  parameters.filter((parameter) => parameter.in === where);

/** `/things/{id}` and `{ id: 'x' }` make `/things/x`. Values are taken as they are: encode them, or don't. */
export const pathWith = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => values[name] ?? '');
