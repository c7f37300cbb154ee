import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import * as z from 'zod';

/** As much of JSON Schema 2020-12 as an OpenAPI document of ours uses. */
export const jsonSchema = z.looseObject({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  examples: z.array(z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  minLength: z.int().optional(),
  maxLength: z.int().optional(),
  pattern: z.string().optional(),
  format: z.string().optional(),
  minItems: z.int().optional(),
  maxItems: z.int().optional(),
  get properties() {
    return z.record(z.string(), jsonSchema).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), jsonSchema]).optional();
  },
  get propertyNames() {
    return jsonSchema.optional();
  },
  get items() {
    return jsonSchema.optional();
  },
  get anyOf() {
    return z.array(jsonSchema).optional();
  },
  get oneOf() {
    return z.array(jsonSchema).optional();
  },
  get allOf() {
    return z.array(jsonSchema).optional();
  },
});
export type JsonSchema = z.infer<typeof jsonSchema>;
export type Schemas = Readonly<Record<string, JsonSchema>>;

const componentPrefix = '#/components/schemas/';

const ajv = new Ajv2020({ strict: false, validateSchema: false });
addFormats.default(ajv);

type Judge = (value: unknown) => string | undefined;
/** By function and by schema: many operations answer the same. */
const judges = new WeakMap<Schemas, Map<string, Judge>>();

/** An independent judge of what fits a schema. Returns what is wrong, undefined where all is well. */
export const judgeOf = (schema: JsonSchema, schemas: Schemas): Judge => {
  const known = judges.get(schemas) ?? new Map<string, Judge>();
  judges.set(schemas, known);
  const text = JSON.stringify(schema);
  const made = known.get(text);
  if (made !== undefined) return made;
  const validate = ajv.compile({ ...schema, components: { schemas } });
  const judge: Judge = (value) => (validate(value) ? undefined : ajv.errorsText(validate.errors));
  known.set(text, judge);
  return judge;
};

/** Made once for each length: fast-check thinks long about each. */
const graphemes = new Map<string, fc.Arbitrary<string>>();
const graphemesOf = (minLength: number, maxLength: number): fc.Arbitrary<string> => {
  const name = `${minLength}-${maxLength}`;
  const made = graphemes.get(name) ?? fc.string({ unit: 'grapheme', minLength, maxLength });
  graphemes.set(name, made);
  return made;
};

/** Text that a random search would not find: the schema's own examples stand in where the pattern is too narrow. */
const textOf = ({ pattern, format, minLength = 0, maxLength: bound, examples }: JsonSchema) => {
  const maxLength = bound ?? minLength + 20;
  const formats: Readonly<Record<string, () => fc.Arbitrary<string>>> = {
    date: () =>
      fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((d) => d.toISOString().slice(0, 10)),
    'date-time': () =>
      fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((d) => d.toISOString()),
    email: () => fc.emailAddress(),
    uri: () => fc.webUrl(),
    uuid: () => fc.uuid(),
  };
  const known = format === undefined ? undefined : formats[format];
  if (known !== undefined) return known();
  const wellFormed = graphemesOf(minLength, Math.min(maxLength, minLength + 40));
  if (pattern === undefined) return wellFormed.filter((text) => text.length <= maxLength);
  const fits = new RegExp(pattern, 'u');
  // A pattern may be the only one to say how long the text is.
  const longest = bound ?? Number.POSITIVE_INFINITY;
  const samples = (examples ?? []).filter((example) => typeof example === 'string');
  const random = matching(fits, { minLength, maxLength: bound }).filter(
    (text) => text.length >= minLength && text.length <= longest && fits.test(text),
  );
  return samples.length > 0 ? fc.oneof(fc.constantFrom(...samples), random) : random;
};

/** Most patterns can be followed; of the others, such as `\p{…}`, plain text is a likely match. */
const matching = (
  pattern: RegExp,
  { minLength, maxLength }: { minLength: number; maxLength: number | undefined },
): fc.Arbitrary<string> => {
  try {
    return fc.stringMatching(pattern, maxLength === undefined ? {} : { maxLength });
  } catch {
    const longest = minLength + 20;
    return fc.string({ minLength, maxLength: Math.min(maxLength ?? longest, longest) });
  }
};

const numberOf = (schema: JsonSchema, whole: boolean): fc.Arbitrary<number> => {
  const min = schema.minimum ?? schema.exclusiveMinimum ?? -1e9;
  const max = schema.maximum ?? schema.exclusiveMaximum ?? Math.max(min, 1e9);
  return whole
    ? fc.integer({ min: Math.ceil(min), max: Math.floor(max) })
    : fc.double({
        min,
        max,
        noNaN: true,
        minExcluded: schema.exclusiveMinimum !== undefined,
        maxExcluded: schema.exclusiveMaximum !== undefined,
      });
};

/** Values that fit a schema. */
export const valid = (schema: JsonSchema, schemas: Schemas): fc.Arbitrary<unknown> => {
  const { $ref, anyOf, oneOf } = schema;
  const inner = (part: JsonSchema) => valid(part, schemas);
  if ($ref !== undefined) return inner(schemas[$ref.slice(componentPrefix.length)] ?? {});
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (anyOf !== undefined || oneOf !== undefined) return fc.oneof(...(anyOf ?? oneOf ?? []).map(inner));
  if (schema.allOf !== undefined) {
    return fc.tuple(...schema.allOf.map(inner)).map((parts) => Object.assign({}, ...parts));
  }
  const types = [schema.type ?? 'null'].flat();
  return fc.oneof(...types.map((type) => ofType(type, schema, schemas)));
};

const ofType = (type: string, schema: JsonSchema, schemas: Schemas): fc.Arbitrary<unknown> => {
  switch (type) {
    case 'object': {
      const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
      const named = Object.fromEntries(Object.entries(properties).map(([key, part]) => [key, valid(part, schemas)]));
      const fixed = fc.record(named, { requiredKeys: required });
      if (typeof additionalProperties !== 'object' || Object.keys(properties).length > 0) return fixed;
      const key = valid(propertyNames ?? { type: 'string' }, schemas).map(String);
      return fc.dictionary(key, valid(additionalProperties, schemas), { maxKeys: 5 });
    }
    case 'array': {
      const { minItems = 0, maxItems = minItems + 5 } = schema;
      return fc.array(valid(schema.items ?? {}, schemas), {
        minLength: minItems,
        maxLength: Math.min(maxItems, minItems + 5),
      });
    }
    case 'string':
      return textOf(schema);
    case 'integer':
      return numberOf(schema, true);
    case 'number':
      return numberOf(schema, false);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.constant(null);
  }
};
