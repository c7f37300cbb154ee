import * as z from 'zod';

/**
 * Categories of UNTDID 5305, as EN 16931 uses them: S standard (also reduced) rate, Z zero rate, E exempt, AE reverse
 * charge, G export, O not subject to VAT.
 */
export const taxDecisionSchema = z
  .object({
    category: z.enum(['S', 'Z', 'E', 'AE', 'G', 'O']),
    /** Parts per million: 190,000 is 19 %. */
    rate: z.int().min(0).max(1_000_000).meta({ description: 'Parts per million: 190000 is 19 %.' }),
    /** Whose tax it is; empty where there is none. */
    country: z.string().max(2).meta({ description: 'Whose tax it is; empty where there is none.' }),
    /** Why, for whoever reads the invoice. */
    reason: z.string().max(300).meta({ description: 'Why it is so.' }),
  })
  .meta({ id: 'TaxDecision', description: 'What tax is due on something, and why.' });
export type TaxDecision = z.infer<typeof taxDecisionSchema>;

export const taxGroupSchema = taxDecisionSchema
  .extend({
    taxable: z.int().meta({ description: 'Minor units, without tax.' }),
    tax: z.int().meta({ description: 'Minor units.' }),
  })
  .meta({ id: 'TaxGroup', description: 'All lines of an invoice with the same tax.' });
export type TaxGroup = z.infer<typeof taxGroupSchema>;

/** What was found out about a buyer's VAT number, kept with the invoice that relies on it. */
export const vatEvidenceSchema = z
  .object({
    vatId: z.string().max(20),
    valid: z.boolean(),
    /** The register's own name of the answer, where it gives one. */
    consultation: z.string().max(100).nullable(),
    checkedAt: z.iso.datetime(),
    source: z.enum(['vies', 'unavailable']),
  })
  .meta({ id: 'VatEvidence', description: 'What the register said of a VAT number, and when.' });
export type VatEvidence = z.infer<typeof vatEvidenceSchema>;
