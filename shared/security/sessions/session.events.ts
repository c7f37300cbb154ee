import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { deviceSchema, doneByAnother, doneByNobody } from '../identity/identity.events.ts';
import { methodSchema } from './session.schema.ts';

export const signInSucceeded = defineEvent(
  'security.sign-in.succeeded',
  z.object({ user: z.string(), session: z.string(), methods: z.array(methodSchema), device: deviceSchema }),
);

/** The address is not in it: what is tried may be anybody's, or a password in the wrong field. */
export const signInFailed = defineEvent(
  'security.sign-in.failed',
  z.object({
    /** SHA-256 of the address; absent where none was given. */
    account: z.string().optional(),
    /** Where the address has an account. */
    user: z.string().optional(),
    ...doneByNobody,
    method: methodSchema,
    reason: z.enum(['wrong-credential', 'unknown-account', 'not-verified', 'disabled', 'not-allowed', 'blocked']),
    device: deviceSchema,
  }),
);

/** Somebody has proved once more who they are, in a session that there was. */
export const sessionRaised = defineEvent(
  'security.session.raised',
  z.object({ user: z.string(), session: z.string(), methods: z.array(methodSchema) }),
);

export const sessionRevoked = defineEvent(
  'security.session.revoked',
  z.object({
    user: z.string(),
    /** Absent where all of the user's were ended. */
    session: z.string().optional(),
    ...doneByAnother,
    reason: z.enum(['signed-out', 'revoked', 'reuse']),
  }),
);
