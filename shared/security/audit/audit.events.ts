import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';

/** Everything that happened to identities and their protection, whoever says it. */
export const securityEvents = defineEvent('security.*', z.record(z.string(), z.unknown()));

export const sealDue = defineEvent('audit.seal.due', z.object({ slot: z.string(), round: z.int() }));
export const rootDue = defineEvent('audit.root.due', z.object({ day: z.iso.date() }));
export const exportDue = defineEvent('audit.export.due', z.object({ export: z.string(), part: z.int() }));

/** A page of tenants to look after. */
export const fanOutDue = defineEvent(
  'audit.fan-out.due',
  z.object({ work: z.enum(['seal', 'root']), at: z.iso.datetime(), cursor: z.string().optional() }),
);
