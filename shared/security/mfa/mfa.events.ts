import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { deviceSchema, doneBy, doneByNobody, doneBySystem } from '../identity/identity.events.ts';
import { factorMethodSchema } from '../policy/security-policy.schema.ts';

const about = { user: z.string(), device: deviceSchema.default({}) };
const factor = { ...about, method: factorMethodSchema, factor: z.string() };

export const factorAdded = defineEvent('security.factor.added', z.object(factor));
export const factorRemoved = defineEvent('security.factor.removed', z.object(factor));
export const backupCodesMade = defineEvent('security.backup-codes.made', z.object(about));
/** Somebody got in by a code that is there for when all else is lost. */
export const backupCodeUsed = defineEvent('security.backup-code.used', z.object({ ...about, left: z.int() }));
/** A first factor was right, and the second one was not. In a session its user did it; before there is one, who knows. */
export const secondFactorFailed = defineEvent(
  'security.second-factor.failed',
  z.object({
    ...about,
    by: doneByNobody.by.unwrap().optional(),
    byKind: doneByNobody.byKind.unwrap().optional(),
    method: z.enum([...factorMethodSchema.options, 'password']),
    purpose: z.enum(['sign-in', 'step-up', 'enrolment']),
    /** Wrong ones since the last right one. */
    failures: z.int(),
  }),
);
/** There were so many wrong codes that no more are looked at for a while. */
export const secondFactorBlocked = defineEvent(
  'security.second-factor.blocked',
  z.object({ ...about, ...doneBySystem('guesses'), until: z.iso.datetime() }),
);
export const deviceTrusted = defineEvent('security.device.trusted', z.object({ ...about, trusted: z.string() }));
export const deviceRevoked = defineEvent('security.device.revoked', z.object({ ...about, trusted: z.string() }));

const reset = { user: z.string(), reset: z.string() };
/** `by` asked for it, who is never the user. */
export const resetRequested = defineEvent(
  'security.factor-reset.requested',
  z.object({ ...reset, ...doneBy, reason: z.string(), dueAt: z.iso.datetime() }),
);
export const resetCancelled = defineEvent('security.factor-reset.cancelled', z.object({ ...reset, ...doneBy }));
export const resetCompleted = defineEvent('security.factor-reset.completed', z.object({ ...reset, ...doneBy }));
/** A reset's time has come. */
export const resetDue = defineEvent('mfa.reset.due', z.object({ reset: z.string() }));
