import * as z from 'zod';
import { brandingSchema } from '../../messaging/index.ts';
import { tenantCollection } from '../../store/collection.ts';
import { tenantNameSchema } from '../tenants/tenant.schema.ts';

const { colour, logoUrl, footer, replyTo } = brandingSchema.shape;

/** WCAG 2.2, 1.4.3: text of usual size needs at least this much contrast. */
const leastContrast = 4.5;

/** The relative luminance of `#rrggbb` (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance). */
const luminanceOf = (hex: string): number => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** Of a colour against the white of a button's text: 1 to 21. */
export const contrastWithWhite = (hex: string): number => 1.05 / (luminanceOf(hex) + 0.05);

export const brandingInputSchema = z
  .strictObject({
    name: tenantNameSchema.optional().meta({ description: "Who messages come from; the tenant's name where absent." }),
    colour: colour
      .refine((hex) => contrastWithWhite(hex) >= leastContrast, `White text on it needs a contrast of ${leastContrast}`)
      .meta({ description: 'Of buttons, with white text on it.', examples: ['#1a56db'] }),
    logoUrl: logoUrl.meta({ description: 'An https URL.' }),
    footer: footer.meta({ description: "Such as the company's address." }),
    replyTo: replyTo.meta({ description: 'Where answers to mails go.' }),
  })
  .meta({ id: 'BrandingInput', examples: [{ colour: '#1a56db', footer: 'Acme Ltd, London' }] });
export type BrandingInput = z.infer<typeof brandingInputSchema>;

const storedSchema = z.object({
  name: z.string().max(200).optional(),
  colour,
  logoUrl,
  footer,
  replyTo,
});
export type StoredBranding = z.infer<typeof storedSchema>;

/** One document a tenant. */
export const brandingCollection = tenantCollection<StoredBranding>({ name: 'branding', schema: storedSchema });
