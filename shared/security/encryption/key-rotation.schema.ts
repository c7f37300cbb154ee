import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { ringNameSchema } from './data-key.schema.ts';

/** How far a rotation is: the counts begin again when older versions are retired. */
const keyRotationSchema = z.object({
  name: ringNameSchema,
  /** The version that it made. */
  version: z.int(),
  state: z.enum(['renewing', 'renewed', 'retiring', 'retired', 'incomplete']).meta({
    description:
      '`renewing`: stored documents are being put under the new version; older ones still decrypt. `renewed`: done, ' +
      'and older versions can be retired. `retiring`: a last look for what is left under them. `retired`: they are ' +
      'destroyed. `incomplete`: some documents could not be read, so nothing was destroyed.',
  }),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  documents: z.int().meta({ description: 'Documents looked at so far.' }),
  renewed: z.int().meta({ description: 'Those that were under an older version.' }),
  unreadable: z.int().meta({ description: 'Those that no version opens. They are left as they are.' }),
});
export type KeyRotation = z.infer<typeof keyRotationSchema>;

/** By key and version: `fields~3`. */
export const keyRotationCollection = tenantCollection<KeyRotation>({ name: 'keyRotations', schema: keyRotationSchema });

export const keyRotationViewSchema = keyRotationSchema
  .extend({ id: z.string().meta({ examples: ['fields~3'] }) })
  .meta({ id: 'KeyRotation', description: 'A new version of a key, and what became of what older ones encrypted.' });
export type KeyRotationView = z.infer<typeof keyRotationViewSchema>;
