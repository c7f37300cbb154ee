import * as z from 'zod';

/** The query of every list: `?limit=50&cursor=…`. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'Items on a page.' }),
  cursor: z.string().min(1).max(2_048).optional().meta({ description: '`nextCursor` of the page before.' }),
});

/** The answer of every list. */
export const pageSchema = <T>(item: z.ZodType<T>) =>
  z.object({
    items: z.array(item).readonly(),
    nextCursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
  });

/** An id in a path. */
export const idParams = z.object({
  id: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[\w:@.-]+$/),
});
