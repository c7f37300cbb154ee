import * as z from 'zod';

export interface EncryptionOptions {
  /**
   * Lets `==` find the field, through a keyed hash beside it: of the text as it is, or without regard to case, width
   * and outer spaces. Whoever reads the database then sees which documents have the same value, but not which.
   */
  readonly index?: 'exact' | 'caseless';
}

interface Declaration extends EncryptionOptions {
  readonly encrypted: true;
  readonly subject?: string;
}

/** Kept beside the schemas, so that nothing of it gets into JSON Schema. What is derived from a schema inherits it. */
const declarations = z.registry<Declaration>();

const declare = <S extends z.ZodType>(schema: S, declaration: Declaration): S => {
  // A copy: the same schema may be used elsewhere in the clear.
  const copy = schema.clone();
  declarations.add(copy, declaration);
  return copy;
};

/** A field that the store encrypts under its tenant's key. Only tenant collections can have one. */
export const encrypted = <S extends z.ZodType>(schema: S, options: EncryptionOptions = {}): S =>
  declare(schema, { encrypted: true, ...options });

/** What is read where the key was destroyed. */
export const shreddedSchema = z.object({ shredded: z.literal(true) }).meta({
  id: 'Shredded',
  description: 'Was personal data of someone who has been forgotten. Nobody can read it any more.',
});
export type Shredded = z.infer<typeof shreddedSchema>;

/**
 * A field that the store encrypts under the key of one person, whose id is in the document's field `subject`. When
 * that key is destroyed, the field reads as `{ shredded: true }` everywhere, without any document being touched.
 */
export const shreddable = <S extends z.ZodType>(subject: string, schema: S): z.ZodUnion<[S, typeof shreddedSchema]> =>
  declare(z.union([schema, shreddedSchema]), { encrypted: true, subject });

export interface EncryptedField {
  /** `*` stands for every item of a list or record. */
  readonly path: readonly string[];
  readonly index?: 'exact' | 'caseless';
  /** The top-level field that names whose key it is; the tenant's where absent. */
  readonly subject?: string;
}

/** Where blind indexes are: a copy of the document's shape that holds hashes alone. */
export const blindField = '_index';

type Child = readonly [segment: string | undefined, schema: z.core.$ZodType];

const childrenOf = (schema: z.core.$ZodType): readonly Child[] | undefined => {
  if (schema instanceof z.ZodObject) return Object.entries<z.core.$ZodType>(schema.shape);
  if (schema instanceof z.ZodArray) return [['*', schema.element]];
  if (schema instanceof z.ZodRecord) return [['*', schema.valueType]];
  if (schema instanceof z.ZodUnion) return schema.options.map((option): Child => [undefined, option]);
  if (schema instanceof z.ZodIntersection)
    return [
      [undefined, schema.def.left],
      [undefined, schema.def.right],
    ];
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly;
  return isWrapper ? [[undefined, schema.unwrap()]] : undefined;
};

/** Every schema that is somewhere inside a kind of schema which can't be followed. */
const insideOf = (schema: z.core.$ZodType): readonly z.core.$ZodType[] => {
  if (schema instanceof z.ZodLazy) return [schema.unwrap()];
  return Object.values(schema._zod.def).flatMap((value: unknown) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one instanceof z.core.$ZodType),
  );
};

const walk = (
  schema: z.core.$ZodType,
  path: readonly string[],
  above: readonly z.core.$ZodType[],
): readonly EncryptedField[] => {
  if (above.includes(schema)) return [];
  const declaration = declarations.get(schema);
  if (declaration !== undefined) {
    const { index, subject } = declaration;
    if (path.length === 0) throw new Error('A whole document cannot be encrypted, only its fields.');
    if (index !== undefined && path.includes('*')) throw new Error(`${path.join('.')} cannot be indexed in a list.`);
    return [{ path, ...(index === undefined ? {} : { index }), ...(subject === undefined ? {} : { subject }) }];
  }
  const within = [...above, schema];
  const children = childrenOf(schema);
  if (children !== undefined) {
    return children.flatMap(([segment, child]) =>
      walk(child, segment === undefined ? path : [...path, segment], within),
    );
  }
  if (insideOf(schema).some((child) => walk(child, [...path, '?'], within).length > 0)) {
    throw new Error(`The store cannot encrypt inside ${path.join('.')}: objects, lists, records and unions it can.`);
  }
  return [];
};

/** The fields of a schema that are declared as encrypted. Throws where one is in a place that can't be followed. */
export const encryptedFieldsOf = (schema: z.ZodType): readonly EncryptedField[] => {
  const byPath = new Map(walk(schema, [], []).map((field) => [field.path.join('.'), field]));
  return [...byPath.values()];
};
