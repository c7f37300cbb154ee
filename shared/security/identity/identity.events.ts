import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';

/** Where a request came from, as far as it says. */
export const deviceSchema = z.object({
  userAgent: z.string().max(300).optional(),
  ip: z.string().max(45).optional(),
});
export type Device = z.infer<typeof deviceSchema>;

/** A device with what it shows of itself: a secret, which goes into no event and no document. */
export interface Origin extends Device {
  /** Given to it at a sign-in before. */
  readonly knownDevice?: string;
}

const about = { user: z.string(), device: deviceSchema.default({}) };

/** Somebody asked for a link by mail. Whether there is an account is found out by the job, after the answer. */
export const linkRequested = defineEvent(
  'security.link.requested',
  z.object({
    purpose: z.enum(['sign-in', 'password-reset']),
    email: z.string(),
    locale: z.string().optional(),
    device: deviceSchema.default({}),
  }),
  { confidential: true },
);

export const userSignedUp = defineEvent('security.user.signed-up', z.object(about));
export const emailVerified = defineEvent('security.email.verified', z.object(about));
export const emailChanged = defineEvent('security.email.changed', z.object(about));
/** `how` is `changed` by who knew the old one, or `reset` by who reads the mail. */
export const passwordChanged = defineEvent(
  'security.password.changed',
  z.object({ ...about, how: z.enum(['changed', 'reset']) }),
);
/** Somebody who is signed in was asked for their password, and gave another. */
export const passwordRefused = defineEvent('security.password.refused', z.object(about));
export const userRolesChanged = defineEvent(
  'security.user.roles-changed',
  z.object({ user: z.string(), by: z.string(), roles: z.array(z.string()) }),
);
export const userStatusChanged = defineEvent(
  'security.user.status-changed',
  z.object({ user: z.string(), by: z.string(), status: z.enum(['active', 'disabled']) }),
);
/** The account is gone. */
export const userRemoved = defineEvent('security.user.removed', z.object({ user: z.string(), by: z.string() }));
