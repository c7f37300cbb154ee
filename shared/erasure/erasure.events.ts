import * as z from 'zod';
import { defineEvent } from '../events/define-event.ts';

/**
 * What is to be erased. Today a tenant with all it has; the erasure of one person will be another member of this union,
 * with their id.
 */
export const erasureScopeSchema = z.discriminatedUnion('kind', [z.object({ kind: z.literal('tenant') })]);

const about = {
  scope: erasureScopeSchema,
  /** Rises when something was found again at the end, and every domain is asked once more. */
  round: z.int().min(1),
};

/** Every domain is to erase what it has of the event's tenant. */
export const tenantErasureDue = defineEvent('platform.tenant.erasure-due', z.object(about));

/** A domain has nothing of the tenant any more. */
export const domainErased = defineEvent('platform.tenant.domain-erased', z.object({ ...about, domain: z.string() }));

/** Where a domain goes on, after as much as one run does. */
export const continuedSchema = z.object({ ...about, target: z.int().min(0), run: z.int().min(1) });
