import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';

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

const doerKindSchema = z.enum(['user', 'key', 'system']);

/**
 * Who did it, for the audit log: a person, or a key or service account. Events from before `byKind` pass as a person's.
 */
export const doneBy = { by: z.string(), byKind: doerKindSchema.default('user') };
/** As `doneBy`, of what jobs and rules of ours do. */
export const doneBySystem = (name: string) => ({
  by: z.string().default(name),
  byKind: doerKindSchema.default('system'),
});
/** As `doneBy`, of what is somebody else's deed than its user's only at times. */
export const doneByAnother = { by: z.string().optional(), byKind: doerKindSchema.optional() };
/** Who has not shown who they are: a `user` beside it is whom they said to be, and may know nothing of it. */
export const unknownCaller = { by: 'unknown', byKind: 'anonymous' } as const;
/** As `doneBy`, of what nobody is known to have done. */
export const doneByNobody = {
  by: z.literal(unknownCaller.by).default(unknownCaller.by),
  byKind: z.literal(unknownCaller.byKind).default(unknownCaller.byKind),
};
export const doneByActor = ({ id, kind }: Pick<Actor, 'id' | 'kind'>) => ({ by: id, byKind: kind });

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
  z.object({ user: z.string(), ...doneBy, roles: z.array(z.string()) }),
);
export const userStatusChanged = defineEvent(
  'security.user.status-changed',
  z.object({ user: z.string(), ...doneBy, status: z.enum(['active', 'disabled']) }),
);
/** The account is gone. */
export const userRemoved = defineEvent('security.user.removed', z.object({ user: z.string(), ...doneBy }));
