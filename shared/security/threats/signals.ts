import { isoTime } from '../../kernel/clock.ts';
import type { Device } from '../identity/identity.events.ts';
import { distanceBetween, type Place } from './ip-places.ts';
import { type Behaviour, deviceKeyOf, hoursOf, placeKeyOf, type SeenPlace } from './profile.ts';
import type { Signal } from './risk.schema.ts';

/** A sign-in as it is, to be held against how its owner signs in. */
export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly device: Device;
  /** It has shown a token that was given to this user. */
  readonly isKnownDevice: boolean;
  readonly place: Place | undefined;
  /** Failures of this account from this network just before. */
  readonly failures: number;
  readonly breached: boolean;
}

/** Sign-ins after which there is something to compare with. */
const enough = 3;
/** Sign-ins after which an hour without one says anything. */
const enoughForHours = 20;

/** Kilometres. Addresses move within a region without anybody's moving. */
const floorDistance = 150;
/** Kilometres an hour: a little more than airliners, so that nobody is suspected of having flown. */
const fastest = 1_000;
const hour = 3_600_000;

const round = (value: number): string => Math.round(value).toLocaleString('en');

/** From the last place. Each place is taken to be as near to the other as its accuracy allows. */
const travel = (last: SeenPlace | undefined, { at, place }: Circumstances, isKnown: boolean): readonly Signal[] => {
  if (last === undefined || place === undefined) return [];
  const distance = distanceBetween(last, place);
  const surely = distance - last.radius - place.radius;
  // Sign-ins may be told of late, and clocks differ by a minute.
  const hours = Math.max(Math.abs(at - last.at), 60_000) / hour;
  if (surely < floorDistance || surely / hours <= fastest) return [];
  const speed = `${round(distance)} km in ${hours < 2 ? `${round(hours * 60)} minutes` : `${round(hours)} hours`}`;
  // Who is often in both places has a network of their employer's or a VPN there.
  return [
    {
      kind: 'impossible-travel',
      weight: isKnown ? 20 : 60,
      reason: `${speed} from the sign-in before, which nobody travels${isKnown ? '; both places are usual' : ''}.`,
    },
  ];
};

const hourSignal = (behaviour: Behaviour, at: number): readonly Signal[] => {
  if (behaviour.recent.length < enoughForHours) return [];
  const hours = hoursOf(behaviour);
  const now = new Date(at).getUTCHours();
  // The hours beside it count too: nobody keeps to the full hour.
  const near = [23, 0, 1].reduce((sum, offset) => sum + (hours[(now + offset) % 24] ?? 0), 0);
  const time = isoTime(at).slice(11, 16);
  return near > 0
    ? []
    : [
        {
          kind: 'unusual-hour',
          weight: 10,
          reason: `None of the last ${behaviour.recent.length} sign-ins was around ${time} UTC.`,
        },
      ];
};

/** Everything that speaks against a sign-in, each with its weight and a sentence for a person. */
export const signalsOf = (behaviour: Behaviour, now: Circumstances): readonly Signal[] => {
  const { device, place, failures } = now;
  const isComparable = behaviour.recent.length >= enough;
  const isPlaceKnown = place !== undefined && behaviour.places.some(({ key }) => key === placeKeyOf(place));
  const signals: Signal[] = [...travel(behaviour.places[0], now, isPlaceKnown)];
  if (isComparable && place !== undefined && behaviour.places.length > 0) {
    if (!behaviour.places.some(({ country }) => country === place.country)) {
      const reason = `The first sign-in from ${place.country}${place.city === undefined ? '' : ` (${place.city})`}.`;
      signals.push({ kind: 'new-country', weight: 25, reason });
    }
  }
  if (isComparable && !now.isKnownDevice && !behaviour.devices.some(({ key }) => key === deviceKeyOf(device))) {
    signals.push({ kind: 'new-device', weight: 20, reason: 'The first sign-in with this kind of device or browser.' });
  }
  signals.push(...hourSignal(behaviour, now.at));
  if (failures >= enough) {
    const weight = Math.min(50, 5 * failures);
    signals.push({
      kind: 'recent-failures',
      weight,
      reason: `${failures} attempts failed from this network just before.`,
    });
  }
  if (now.breached) {
    signals.push({ kind: 'breached-password', weight: 15, reason: 'The password is in a public list of stolen ones.' });
  }
  return signals;
};
