import cards from 'card-validator';
import { getCountrySpecifications, isValidIBAN } from 'ibantools';
import { validate as isIdNr } from 'stdnum/lib/cjs/de/idnr.js';
import { validate as isDni } from 'stdnum/lib/cjs/es/dni.js';
import { validate as isNie } from 'stdnum/lib/cjs/es/nie.js';
import { validate as isNir } from 'stdnum/lib/cjs/fr/nir.js';
import { validate as isNino } from 'stdnum/lib/cjs/gb/nino.js';
import { validate as isFiscalCode } from 'stdnum/lib/cjs/it/codicefiscale.js';
import { validate as isBsn } from 'stdnum/lib/cjs/nl/bsn.js';
import { validate as isPesel } from 'stdnum/lib/cjs/pl/pesel.js';
import { validate as isSsn } from 'stdnum/lib/cjs/us/ssn.js';
import { parseKey } from '../api-keys/api-key.format.ts';
import { isMod97, luhnValid } from './checksums.ts';
import type { Confidence, FindingType } from './finding.schema.ts';

export interface Detector {
  readonly type: FindingType;
  /**
   * Global. Linear in the text: every repetition is bounded, or begins only where it can't have begun before and never
   * gives back what it took.
   */
  readonly pattern: RegExp;
  /** How much of a match it means, in characters; 0 where the match is not what it looks like. All where absent. */
  readonly measure?: (match: string) => number;
  readonly confidence: Confidence;
  /** Words that, shortly before a match, make the confidence high. */
  readonly context?: RegExp;
  /** How many characters of the beginning and the end a sample shows. */
  readonly shown: readonly [head: number, tail: number];
}

type Check = (value: string) => { readonly isValid: boolean };

const whereValid =
  (check: Check) =>
  (match: string): number =>
    check(match).isValid ? match.length : 0;

/** What the library knows of networks, asked directly: its own validation takes many times as long. */
const networks = Object.values(cards.creditCardType.types).map((type) => cards.creditCardType.getTypeInfo(type));

const startsWith = (digits: string, pattern: number | readonly number[]): boolean => {
  const [from = 0, to = 0] = typeof pattern === 'number' ? [pattern, pattern] : pattern;
  const prefix = Number(digits.slice(0, String(from).length));
  return prefix >= from && prefix <= to;
};

/** Luhn, and the ranges and lengths of the networks. */
const isCard = (text: string): boolean => {
  const digits = text.replaceAll(/[ -]/g, '');
  return (
    luhnValid(digits) &&
    networks.some(
      ({ lengths, patterns }) =>
        lengths.includes(digits.length) && patterns.some((pattern) => startsWith(digits, pattern)),
    )
  );
};

const plainCard = (match: string): number => (isCard(match) ? match.length : 0);

/** Four groups of four; the three digits that follow may be of the number, or its security code. */
const groupedCard = (match: string): number =>
  plainCard(match) || (match.length === 23 ? plainCard(match.slice(0, 19)) : 0);

const ibanLengths = new Map(Object.entries(getCountrySpecifications()).map(([country, { chars }]) => [country, chars]));

/** ISO 13616: as many characters as the country has, in its form, and 1 modulo 97. */
const measureIban = (match: string): number => {
  const wanted = ibanLengths.get(match.slice(0, 2).toUpperCase());
  if (wanted === undefined || wanted === null) return 0;
  let length = 0;
  let iban = '';
  while (iban.length < wanted && length < match.length) {
    const character = match.charAt(length);
    if (character !== ' ') iban += character;
    length += 1;
  }
  const goesOn = /^[A-Za-z\d]/.test(match.slice(length));
  return !goesOn && isMod97(iban) && isValidIBAN(iban.toUpperCase()) ? length : 0;
};

/** A token's header says how it is signed (RFC 7515 section 4.1.1). */
const measureJwt = (match: string): number => {
  const header = Buffer.from(match.slice(0, match.indexOf('.')), 'base64url').toString();
  return /"alg"\s{0,9}:/.test(header) ? match.length : 0;
};

/** The 11 digits of a Steuer-ID: among the first ten exactly one occurs twice or three times (BZSt, since 2016). */
const isTaxId: Check = (match) => {
  const digits = match.replaceAll(' ', '').slice(0, 10);
  const repeated = [...new Set(digits)].map((digit) => digits.split(digit).length - 1).filter((times) => times > 1);
  const isWellMade = repeated.length === 1 && (repeated[0] ?? 0) <= 3;
  return { isValid: isWellMade && isIdNr(match).isValid };
};

/** Where one of these begins and ends, no letter or digit goes before or after. */
const alone = (inner: string, flags = 'g'): RegExp => new RegExp(`(?<![\\w+-])(?:${inner})(?![\\w-])`, flags);

const cardWords = /card|visa|amex|karte|carte|tarjeta|\bpan\b/i;

export const detectors: readonly Detector[] = [
  {
    type: 'card',
    pattern: alone('\\d{13,19}'),
    measure: plainCard,
    confidence: 'medium',
    context: cardWords,
    shown: [0, 4],
  },
  {
    type: 'card',
    pattern: alone('\\d{4}([ -])\\d{4}\\1\\d{4}\\1\\d{4}(?:\\1\\d{3})?|\\d{4}([ -])\\d{6}\\2\\d{4,5}'),
    measure: groupedCard,
    confidence: 'high',
    shown: [0, 4],
  },
  {
    type: 'iban',
    pattern: /(?<![A-Za-z\d])[A-Za-z]{2}\d{2}(?: ?[A-Za-z\d]){11,34}/g,
    measure: measureIban,
    confidence: 'high',
    shown: [2, 4],
  },
  {
    type: 'email',
    pattern: /(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[A-Za-z\d-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])/g,
    confidence: 'high',
    shown: [1, 3],
  },
  {
    type: 'phone',
    pattern: /(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)/g,
    confidence: 'medium',
    context: /phone|mobile|\btel\b|\bfax\b|handy|call/i,
    shown: [3, 2],
  },
  { type: 'aws-key', pattern: alone('(?:AKIA|ASIA)[A-Z2-7]{16}'), confidence: 'high', shown: [4, 0] },
  {
    type: 'aws-key',
    pattern: /(?<=aws_?secret_?(?:access_?)?key["' :=]{1,6})[A-Za-z\d/+]{40}(?![A-Za-z\d/+])/gi,
    confidence: 'high',
    shown: [0, 0],
  },
  { type: 'google-key', pattern: alone('AIza[\\w-]{35}|GOCSPX-[\\w-]{28}'), confidence: 'high', shown: [4, 0] },
  {
    type: 'stripe-key',
    pattern: alone('(?:sk|rk)_(?:live|test)_[A-Za-z\\d]{16,250}|whsec_[A-Za-z\\d+/]{24,250}={0,2}'),
    confidence: 'high',
    shown: [8, 0],
  },
  {
    type: 'github-token',
    pattern: alone('gh[pousr]_[A-Za-z\\d]{36,250}|github_pat_\\w{22,250}'),
    confidence: 'high',
    shown: [4, 0],
  },
  { type: 'slack-token', pattern: alone('xox[abeprs]-[A-Za-z\\d-]{10,250}'), confidence: 'high', shown: [5, 0] },
  {
    type: 'omni-key',
    pattern: alone('omk_[\\da-f]{16}_[\\w-]{43}[\\da-f]{6}'),
    measure: (match) => (parseKey(match) === undefined ? 0 : match.length),
    confidence: 'high',
    // The part that names the key and is no secret.
    shown: [20, 0],
  },
  {
    type: 'jwt',
    pattern: /(?<![\w.-])eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*/g,
    measure: measureJwt,
    confidence: 'high',
    shown: [3, 0],
  },
  {
    type: 'private-key',
    pattern: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]+-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g,
    confidence: 'high',
    shown: [11, 0],
  },
  {
    type: 'us-ssn',
    pattern: alone('\\d{3}-\\d{2}-\\d{4}|(?<=(?:ssn|social security)\\D{1,20})\\d{9}', 'gi'),
    measure: whereValid(isSsn),
    confidence: 'medium',
    context: /ssn|social security/i,
    shown: [0, 2],
  },
  {
    type: 'uk-nino',
    pattern: alone('[A-Z]{2} ?\\d{2} ?\\d{2} ?\\d{2} ?[A-D]'),
    measure: whereValid(isNino),
    confidence: 'medium',
    context: /\bnino?\b|national insurance/i,
    shown: [0, 2],
  },
  {
    type: 'de-tax-id',
    pattern: alone('[1-9]\\d ?\\d{3} ?\\d{3} ?\\d{3}'),
    measure: whereValid(isTaxId),
    confidence: 'low',
    context: /steuer|idnr|tax.?id|\btin\b/i,
    shown: [0, 2],
  },
  {
    type: 'fr-nir',
    pattern: alone('[1-478] ?\\d{2} ?\\d{2} ?(?:\\d{2}|2[AB]) ?\\d{3} ?\\d{3} ?\\d{2}'),
    measure: whereValid(isNir),
    confidence: 'medium',
    context: /\bnir\b|sécu|secu|insee|vitale/i,
    shown: [0, 2],
  },
  {
    type: 'nl-bsn',
    pattern: alone('\\d{9}|\\d{4}[. ]\\d{2}[. ]\\d{3}'),
    measure: whereValid(isBsn),
    confidence: 'low',
    context: /\bbsn\b|burgerservice|sofi/i,
    shown: [0, 2],
  },
  {
    type: 'es-dni',
    pattern: alone('\\d{8}-?[A-Z]'),
    measure: whereValid(isDni),
    confidence: 'medium',
    context: /\bdni\b|\bnif\b/i,
    shown: [0, 2],
  },
  {
    type: 'es-nie',
    pattern: alone('[XYZ]-?\\d{7}-?[A-Z]'),
    measure: whereValid(isNie),
    confidence: 'medium',
    context: /\bnie\b/i,
    shown: [0, 2],
  },
  {
    type: 'it-fiscal-code',
    pattern: alone('[A-Z]{6}[\\dLMNP-V]{2}[A-EHLMPRST][\\dLMNP-V]{2}[A-Z][\\dLMNP-V]{3}[A-Z]'),
    measure: whereValid(isFiscalCode),
    confidence: 'high',
    shown: [0, 2],
  },
  {
    type: 'pl-pesel',
    pattern: alone('\\d{11}'),
    measure: whereValid(isPesel),
    confidence: 'low',
    context: /pesel/i,
    shown: [0, 2],
  },
];
