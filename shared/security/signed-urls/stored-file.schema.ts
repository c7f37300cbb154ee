import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

/** A file of the tenant's own, or room that was taken for one. */
export const storedFileSchema = z.object({
  file: z.string(),
  /** What it may be at most, by the URLs that were made to write it: what counts for the plan. */
  bytes: z.int().min(0),
  /** Until when one of them may still be used. */
  writableUntil: z.iso.datetime(),
  createdAt: z.iso.datetime(),
});
export type StoredFile = z.infer<typeof storedFileSchema>;

/** By a hash of the path. */
export const storedFileCollection = tenantCollection<StoredFile>({ name: 'storedFiles', schema: storedFileSchema });

export const storedFileViewSchema = storedFileSchema
  .extend({ id: z.string() })
  .meta({ id: 'StoredFile', description: 'A file, or room that was taken for one. `bytes` count for the plan.' });
export type StoredFileView = z.infer<typeof storedFileViewSchema>;
