import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { deviceSchema, doneBy, doneBySystem } from '../identity/identity.events.ts';
import { incidentKindSchema, severitySchema, statusSchema } from './incident.schema.ts';
import { signalSchema } from './risk.schema.ts';
import { signInActionSchema } from './threat-rules.schema.ts';

/**
 * A failed sign-in was counted. Not one of `security.*`: it names what the password was like, which the audit log has no
 * use for.
 */
export const failureCounted = defineEvent(
  'threats.failure.counted',
  z.object({
    /** SHA-256 of the address that was tried. */
    account: z.string(),
    user: z.string().optional(),
    network: z.string(),
    /** 20 bits under a key of the tenant's, another on each day: tells that two passwords are alike, not what they are. */
    passwordTag: z.string().optional(),
    at: z.iso.datetime(),
  }),
);

const incident = { incident: z.string(), kind: incidentKindSchema, severity: severitySchema };

/** An incident was opened, or has become more severe. Other domains may listen. */
export const threatDetected = defineEvent(
  'security.threat.detected',
  z.object({
    ...incident,
    ...doneBySystem('detection'),
    subject: z.object({ type: z.string(), id: z.string() }),
    affected: z.int(),
    /** Where it is about somebody's account. */
    user: z.string().optional(),
  }),
);

export const threatUpdated = defineEvent(
  'security.threat.updated',
  z.object({ ...incident, ...doneBy, status: statusSchema, assignee: z.string().optional() }),
);

/** What rules made of a sign-in whose first factor was good, where there was anything to say. */
export const signInAssessed = defineEvent(
  'security.threat.sign-in-assessed',
  z.object({
    user: z.string(),
    ...doneBySystem('rules'),
    /** 0 to 100. */
    score: z.number(),
    signals: z.array(signalSchema),
    /** Names of the rules that held, and what they asked for. */
    rules: z.array(z.object({ rule: z.string(), dryRun: z.boolean(), actions: z.array(signInActionSchema) })),
    decision: z.enum(['allow', 'challenge', 'step-up', 'block']),
    /** Minutes for which its network is to be blocked. */
    blockMinutes: z.int().optional(),
    device: deviceSchema,
  }),
);

export const blockChanged = defineEvent(
  'security.threat.block-changed',
  z.object({
    block: z.string(),
    target: z.enum(['network', 'account']),
    value: z.string(),
    ...doneBy,
    state: z.enum(['set', 'lifted']),
    user: z.string().optional(),
    incident: z.string().optional(),
    until: z.iso.datetime().optional(),
  }),
);

export const allowanceLifted = defineEvent(
  'security.threat.allowance-lifted',
  z.object({ allowance: z.string(), ...doneBy }),
);

export const threatRulesChanged = defineEvent(
  'security.threat.rules-changed',
  z.object({ ...doneBy, revision: z.int(), rules: z.array(z.string()) }),
);
