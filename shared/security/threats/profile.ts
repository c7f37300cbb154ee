import * as z from 'zod';
import { sha256 } from '../../kernel/json.ts';
import { tenantCollection } from '../../store/collection.ts';
import { shreddable } from '../../store/encrypted-field.ts';
import type { Device } from '../identity/identity.events.ts';
import type { Place } from './ip-places.ts';
import { signalSchema } from './risk.schema.ts';

const seen = { key: z.string(), at: z.int(), event: z.string() };

const placeSchema = z.object({
  ...seen,
  country: z.string(),
  city: z.string().optional(),
  latitude: z.number(),
  longitude: z.number(),
  radius: z.number(),
});
const deviceSchema = z.object({ ...seen, userAgent: z.string().max(300) });
const recentSchema = z.object({ at: z.int(), event: z.string() });

/** How somebody signs in, by what they did last. Times are milliseconds since the epoch. */
export const behaviourSchema = z.object({
  recent: z.array(recentSchema),
  places: z.array(placeSchema),
  devices: z.array(deviceSchema),
});
export type Behaviour = z.infer<typeof behaviourSchema>;
export type SeenPlace = z.infer<typeof placeSchema>;

const assessmentSchema = z.object({
  at: z.int(),
  event: z.string(),
  score: z.int(),
  signals: z.array(signalSchema),
  decision: z.string(),
});
export type Assessment = z.infer<typeof assessmentSchema>;

/** By the user's id. Where somebody is and what they use goes with the key of that person. */
export const riskProfileSchema = z.object({
  user: z.string(),
  behaviour: shreddable('user', behaviourSchema),
  /** The last sign-in that there was something to say of. */
  assessment: shreddable('user', assessmentSchema).optional(),
  updatedAt: z.iso.datetime(),
});
export type RiskProfile = z.infer<typeof riskProfileSchema>;

export const riskProfileCollection = tenantCollection<RiskProfile>({
  name: 'riskProfiles',
  schema: riskProfileSchema,
  unindexed: ['behaviour', 'assessment', 'user'],
});

export const emptyBehaviour: Behaviour = { recent: [], places: [], devices: [] };

const maxRecent = 60;
const maxPlaces = 20;
const maxDevices = 20;

interface When {
  readonly at: number;
  readonly event: string;
}

/** The later one first; of two at once the one with the greater id. */
const later = (a: When, b: When): number => b.at - a.at || (a.event < b.event ? 1 : a.event > b.event ? -1 : 0);

/** The latest of each key, and of those the latest `max`. In which order they came in makes no difference to it. */
const latest = <T extends When>(items: readonly T[], keyOf: (item: T) => string, max: number): T[] => {
  const byKey = new Map<string, T>();
  for (const item of [...items].sort(later)) if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), item);
  return [...byKey.values()].slice(0, max);
};

/** Versions change every few weeks, so they are no part of what a device is known by. */
export const deviceKeyOf = ({ userAgent = '' }: Device): string =>
  sha256(userAgent.replaceAll(/\d+([._]\d+)*/g, '')).slice(0, 16);

/** A city, or where no city is known, its country. */
export const placeKeyOf = ({ country, city = '' }: Pick<Place, 'country' | 'city'>): string => `${country} ${city}`;

export interface SeenSignIn extends When {
  readonly device: Device;
  readonly place: Place | undefined;
}

/**
 * Adds a sign-in. What comes out depends only on which sign-ins were added, never on their order or how often: it is what
 * the latest of each kind say, and one that was pushed out by later ones would be pushed out again.
 */
export const withSignIn = (behaviour: Behaviour, { at, event, device, place }: SeenSignIn): Behaviour => {
  const here = place === undefined ? [] : [{ at, event, key: placeKeyOf(place), ...place }];
  const used = { at, event, key: deviceKeyOf(device), userAgent: device.userAgent ?? '' };
  return {
    recent: latest([...behaviour.recent, { at, event }], (one) => one.event, maxRecent),
    places: latest([...behaviour.places, ...here], ({ key }) => key, maxPlaces),
    devices: latest([...behaviour.devices, used], ({ key }) => key, maxDevices),
  };
};

/** How many of the latest sign-ins were in each hour of the day, in UTC. */
export const hoursOf = ({ recent }: Behaviour): readonly number[] => {
  const hours = Array.from({ length: 24 }, () => 0);
  for (const { at } of recent) {
    const hour = new Date(at).getUTCHours();
    hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return hours;
};
