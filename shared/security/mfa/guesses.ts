import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { MfaProfile } from './mfa.schema.ts';

/** Wrong answers to one challenge, after which it is over. */
export const maxGuesses = 5;
/** Messages with a code for one challenge. */
export const maxSends = 3;
/** Milliseconds between two of them. */
export const sendPause = 30_000;

const minute = 60_000;
const hour = 60 * minute;
/** After every fifth wrong code in a row, over all challenges, no code is looked at for this long. */
const pauses = [15 * minute, hour, 6 * hour, 24 * hour] as const;

/**
 * After one more wrong code. Who has a password and opens one challenge after the other so gets to try about five codes
 * a day in the long run: with three codes good at a time, one chance in two hundred in a year.
 */
export const afterFailure = (
  profile: MfaProfile,
  now: number,
): { readonly profile: MfaProfile; readonly blocked: boolean } => {
  const failures = profile.failures + 1;
  if (failures % maxGuesses !== 0) return { profile: { ...profile, failures }, blocked: false };
  const pause = pauses[Math.min(failures / maxGuesses, pauses.length) - 1] ?? 24 * hour;
  return { profile: { ...profile, failures, lockedUntil: isoTime(now + pause) }, blocked: true };
};

export const afterSuccess = (profile: MfaProfile): MfaProfile => {
  if (profile.failures === 0 && profile.lockedUntil === undefined) return profile;
  const { lockedUntil: _, ...rest } = profile;
  return { ...rest, failures: 0 };
};

/** Throws `rate-limited` while codes are not looked at. */
export const requireUnlocked = ({ lockedUntil }: MfaProfile, now: number): void => {
  const left = lockedUntil === undefined ? 0 : Date.parse(lockedUntil) - now;
  if (left <= 0) return;
  throw new OmniError('rate-limited', 'There were too many wrong codes. Wait, or use a passkey.', {
    retryAfter: Math.ceil(left / 1_000),
  });
};

/** Milliseconds between two sets of backup codes: each costs ten slow hashes. */
const codesPause = 10_000;

/** Throws `rate-limited` for new backup codes too soon after the last ones. */
export const requirePause = (last: string | undefined, now: number): void => {
  const left = last === undefined ? 0 : Date.parse(last) + codesPause - now;
  if (left <= 0) return;
  throw new OmniError('rate-limited', 'There are new codes already.', { retryAfter: Math.ceil(left / 1_000) });
};

/** Messages with a code to one person in a day. */
const maxSentPerDay = 20;

/** After one more message. Throws `rate-limited` where it would be one too many. */
export const afterSend = (profile: MfaProfile, now: number): MfaProfile => {
  const { sent } = profile;
  const since = sent === undefined ? now : Date.parse(sent.since);
  if (sent === undefined || now - since >= 24 * hour) return { ...profile, sent: { count: 1, since: isoTime(now) } };
  if (sent.count >= maxSentPerDay) {
    throw new OmniError('rate-limited', 'There were too many messages. Use another factor.', {
      retryAfter: Math.ceil((since + 24 * hour - now) / 1_000),
    });
  }
  return { ...profile, sent: { ...sent, count: sent.count + 1 } };
};
