import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { platformCollection } from '../../store/collection.ts';

/** An erasure that is under way, by its tenant. */
export const erasureSchema = z.object({
  round: z.int().min(1),
  /** Which have said in this round that they have nothing any more. */
  done: z.array(z.string()),
  requestedAt: z.iso.datetime(),
  startedAt: z.iso.datetime(),
});
export type Erasure = z.infer<typeof erasureSchema>;

export const erasureCollection = platformCollection<Erasure>({ name: 'tenantErasures', schema: erasureSchema });

/** Every domain has said that it is done. */
export const erasureCollected = defineEvent('platform.tenant.erasure-collected', z.object({ round: z.int() }));
