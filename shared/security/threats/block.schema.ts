import * as z from 'zod';
import { allowanceSchema, blockSchema } from './guard.schema.ts';

const common = {
  minutes: z.int().min(1).max(525_600).default(1_440),
  reason: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u),
  sparesKnownDevices: z.boolean().default(false).meta({
    description: 'Lets the owners of accounts in from devices on which they have signed in before.',
  }),
};

export const blockInputSchema = z
  .discriminatedUnion('target', [
    z.strictObject({
      target: z.literal('network'),
      network: z
        .string()
        .min(2)
        .max(49)
        .meta({ description: 'An address, or the network it is in: an IPv4 /24, an IPv6 /64.' }),
      ...common,
    }),
    z.strictObject({
      target: z.literal('account'),
      user: z
        .string()
        .min(1)
        .max(200)
        .regex(/^[\w:@.-]+$/)
        .meta({ description: 'Whose account nobody may try.' }),
      ...common,
    }),
  ])
  .meta({ id: 'NewBlock', examples: [{ target: 'network', network: '203.0.113.7', minutes: 60, reason: 'Attacks' }] });
export type BlockInput = z.infer<typeof blockInputSchema>;

export const blockViewSchema = blockSchema
  .omit({ kind: true, value: true, user: true })
  .extend({ id: z.string(), network: z.string().optional(), user: z.string().nullable().optional() })
  .meta({ id: 'Block' });
export type BlockView = z.infer<typeof blockViewSchema>;

export const allowanceViewSchema = allowanceSchema
  .omit({ kind: true, of: true })
  .extend({ id: z.string(), kind: z.string() })
  .meta({ id: 'Allowance' });
export type AllowanceView = z.infer<typeof allowanceViewSchema>;
