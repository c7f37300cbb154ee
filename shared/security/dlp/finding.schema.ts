import * as z from 'zod';

export const findingTypes = [
  'card',
  'iban',
  'email',
  'phone',
  'aws-key',
  'google-key',
  'stripe-key',
  'github-token',
  'slack-token',
  'omni-key',
  'jwt',
  'private-key',
  'us-ssn',
  'uk-nino',
  'de-tax-id',
  'fr-nir',
  'nl-bsn',
  'es-dni',
  'es-nie',
  'it-fiscal-code',
  'pl-pesel',
] as const;
export type FindingType = (typeof findingTypes)[number];

export const confidences = ['low', 'medium', 'high'] as const;
export type Confidence = (typeof confidences)[number];

export const confidenceSchema = z.enum(confidences).meta({
  description:
    '`high`: a check that chance hardly passes, or the right word before it. `medium`: the right form and check. ' +
    '`low`: a check that one in ten numbers passes.',
});

export const findingSchema = z
  .object({
    type: z.enum(findingTypes),
    confidence: confidenceSchema,
    start: z.int().meta({ description: 'Where it begins, in UTF-16 code units from the beginning of the text.' }),
    end: z.int().meta({ description: 'Where the text goes on after it.' }),
    sample: z.string().meta({ description: 'Enough to recognise it by, and no more.', examples: ['…4242'] }),
  })
  .meta({ id: 'DataLossFinding' });
export type Finding = z.infer<typeof findingSchema>;
