import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

/** Pages that the platform shows in a tenant's name. */
export const pageKindSchema = z.enum(['sign-in', 'invitation', 'not-found']);
export type PageKind = z.infer<typeof pageKindSchema>;

export const pageTemplateSchema = z
  .strictObject({
    kind: pageKindSchema.meta({ description: 'Which page.' }),
    title: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .regex(/^[^\p{Cc}]*$/u, 'Must be one line')
      .meta({ description: 'Liquid.' }),
    body: z.string().min(1).max(50_000).meta({ description: 'Liquid that makes HTML. What could run is taken out.' }),
  })
  .meta({
    id: 'PageTemplate',
    examples: [
      { kind: 'not-found', title: '{{ brand.name }}', body: '<h1>Nothing here</h1><p>{{ brand.footer }}</p>' },
    ],
  });
export type PageTemplate = z.infer<typeof pageTemplateSchema>;

const storedSchema = z.object({ ...pageTemplateSchema.shape });

/** By kind. */
export const pageTemplateCollection = tenantCollection<PageTemplate>({
  name: 'pageTemplates',
  schema: storedSchema,
  unindexed: ['title', 'body'],
});
