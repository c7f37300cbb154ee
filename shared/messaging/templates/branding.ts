import * as z from 'zod';
import { oneLine } from '../one-line.ts';

const line = (max: number) => z.string().max(max).overwrite(oneLine);

/** How a tenant's messages look. */
export const brandingSchema = z
  .object({
    /** Who a message comes from, for its reader. */
    name: line(200).min(1),
    /** Of buttons: `#1a56db`. */
    colour: z
      .string()
      .regex(/^#[0-9a-f]{6}$/i)
      .default('#1a56db'),
    logoUrl: z
      .url({ protocol: /^https$/ })
      .max(2_048)
      .nullable()
      .default(null),
    /** Such as the company's address. */
    footer: line(500).default(''),
    replyTo: z.email().max(254).nullable().default(null),
  })
  .meta({ id: 'Branding' });
export type Branding = z.infer<typeof brandingSchema>;
