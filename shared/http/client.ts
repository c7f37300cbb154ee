import type { HttpContext } from './context.ts';

/** Where a request came from, as far as it says. */
export interface Client {
  readonly ip?: string;
  readonly userAgent?: string;
  /** What the client was given at a sign-in before. A secret. */
  readonly knownDevice?: string;
}

const maxUserAgent = 300;
const maxDeviceToken = 100;

/** The user agent is cut, and what could break out of a line is taken out. */
export const clientOf = (c: HttpContext): Client => {
  const ip = c.get('address');
  const userAgent = (c.req.header('user-agent') ?? '').replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ').slice(0, maxUserAgent);
  const knownDevice = c.req.header('omni-device') ?? '';
  return {
    ...(ip === undefined ? {} : { ip }),
    ...(userAgent === '' ? {} : { userAgent }),
    ...(knownDevice === '' || knownDevice.length > maxDeviceToken ? {} : { knownDevice }),
  };
};
