import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { accountIdSchema, gatewayNameSchema, modeSchema } from '../accounts/gateway-account.schema.ts';

export const disputeStatusSchema = z.enum(['open', 'won', 'lost']);

const disputeShape = {
  payment: z.string().meta({ description: 'Yours that it is about.' }),
  gateway: gatewayNameSchema,
  account: accountIdSchema,
  mode: modeSchema,
  gatewayReference: z.string().meta({ description: "The gateway's id of it." }),
  amount: z.int().meta({ description: 'What the payer wants back, in minor units.' }),
  currency: z.string(),
  status: disputeStatusSchema,
  lost: z.int().meta({ description: 'What was taken in the end, in minor units.' }),
  reason: z.string().nullable().meta({ description: "The gateway's own code." }),
  respondBy: z.string().nullable().meta({ description: 'Until when an answer is wanted, ISO 8601.' }),
  openedAt: z.iso.datetime().meta({ description: 'When it became known here.' }),
  updatedAt: z.iso.datetime(),
};

/** `changes` counts the commits that wrote it. */
const disputeSchema = z.object({ ...disputeShape, changes: z.number() });
export type Dispute = z.infer<typeof disputeSchema>;

const newest = { field: 'openedAt', order: 'desc' } as const;

/** Every dispute of every payment, as the payments have them, to be listed. */
export const disputeCollection = tenantCollection<Dispute>({
  name: 'paymentDisputes',
  schema: disputeSchema,
  indexes: [
    { fields: [{ field: 'status', order: 'asc' }, newest] },
    { fields: [{ field: 'gateway', order: 'asc' }, newest] },
    { fields: [{ field: 'payment', order: 'asc' }, newest] },
  ],
});

export const disputeViewSchema = z
  .object({ id: z.string().meta({ examples: ['dsp_4mT0zN8QkB2vWcY6hR1sXd'] }), ...disputeShape })
  .meta({ id: 'PaymentDispute' });
export type DisputeView = z.infer<typeof disputeViewSchema>;
