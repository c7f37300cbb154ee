import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { gatewayNameSchema } from '../accounts/gateway-account.schema.ts';

const currencySchema = z.string().regex(/^[A-Z]{3}$/);
const countrySchema = z.string().regex(/^[A-Z]{2}$/);
const amountSchema = z.int().min(0).max(9_999_999_999_999);

/** At most so many a tenant. */
export const maxRules = 50;

const shape = {
  name: z.string().min(1).max(100),
  priority: z.int().min(0).max(1_000).meta({ description: 'The lowest that matches decides.' }),
  enabled: z.boolean().default(true),
  /** What is absent matches everything. */
  currencies: z.array(currencySchema).min(1).max(200).optional(),
  countries: z.array(countrySchema).min(1).max(250).optional(),
  minAmount: amountSchema.optional().meta({ description: 'Minor units, itself included.' }),
  maxAmount: amountSchema.optional().meta({ description: 'Minor units, itself included.' }),
  gateways: z
    .array(gatewayNameSchema)
    .min(1)
    .max(4)
    .meta({ description: 'In order of preference. The others are not used, unless `others` allows them.' }),
  others: z
    .boolean()
    .default(false)
    .meta({ description: 'Gateways that are not named may be used after those that are.' }),
};

export const routingRuleInputSchema = z
  .strictObject(shape)
  .refine(({ gateways }) => new Set(gateways).size === gateways.length, {
    path: ['gateways'],
    message: 'Must name each gateway once',
  })
  .refine(({ minAmount, maxAmount }) => minAmount === undefined || maxAmount === undefined || minAmount <= maxAmount, {
    path: ['maxAmount'],
    message: 'Must not be less than minAmount',
  })
  .meta({
    id: 'RoutingRuleInput',
    examples: [{ name: 'Euros', priority: 10, currencies: ['EUR'], gateways: ['stripe', 'acmepay'] }],
  });
export type RoutingRuleInput = z.infer<typeof routingRuleInputSchema>;

const routingRuleSchema = z.object({ ...shape, createdAt: z.iso.datetime(), updatedAt: z.iso.datetime() });
export type RoutingRule = z.infer<typeof routingRuleSchema>;

export const routingRuleCollection = tenantCollection<RoutingRule>({ name: 'routingRules', schema: routingRuleSchema });

export const routingRuleViewSchema = routingRuleSchema.extend({ id: z.string() }).meta({ id: 'RoutingRule' });
export type RoutingRuleView = z.infer<typeof routingRuleViewSchema>;
