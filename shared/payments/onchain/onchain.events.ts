import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { tiers } from './onchain.schema.ts';

/** A step of reading a chain is due: some blocks for some addresses. */
export const chainPollDue = defineEvent(
  'payments.chain-poll.due',
  z.object({
    chain: z.string(),
    tier: z.enum(tiers),
    /** The step that it follows; null for a timer's, which goes on wherever the last one stopped. */
    step: z.int().nullable(),
    /** Steps that may follow before the next timer. */
    left: z.int(),
  }),
);

/** Transfers of an invoice are worth what a price says that is not known yet. */
export const valuationDue = defineEvent('payments.valuation.due', z.object({ invoice: z.string() }));
