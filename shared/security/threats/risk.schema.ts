import * as z from 'zod';

/** What makes a sign-in look unlike its owner's. */
export const signalKindSchema = z.enum([
  'impossible-travel',
  'new-country',
  'new-device',
  'unusual-hour',
  'recent-failures',
  'breached-password',
]);
export type SignalKind = z.infer<typeof signalKindSchema>;

export const signalSchema = z
  .object({
    kind: signalKindSchema,
    /** By itself it would make this score. */
    weight: z.int().min(1).max(100),
    reason: z
      .string()
      .max(300)
      .meta({ examples: ['The last sign-in was 16,000 km away an hour before.'] }),
  })
  .meta({ id: 'RiskSignal' });
export type Signal = z.infer<typeof signalSchema>;

/** As if each signal by itself left over a part of the trust there was: never more than 100, in any order the same. */
export const scoreOf = (signals: readonly Pick<Signal, 'weight'>[]): number =>
  Math.round(100 * (1 - signals.reduce((trust, { weight }) => trust * (1 - weight / 100), 1)));
