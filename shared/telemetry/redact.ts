import { credentialPrefixes } from '../kernel/credential-prefixes.ts';

/** What stands where something was taken out. */
export const redacted = '[redacted]';

const maxDepth = 8;
const maxEntries = 100;
const maxStringLength = 8_192;
const maxRememberedKeys = 2_000;

/** Parts of a key's name, in lower case without separators, that say its value is a secret or personal data. */
const sensitiveKey = new RegExp(
  [
    'pass(?:word|wd|phrase|code)|^pwd$|secret|token|authorization|^auth$|cookie|credential|^jwt$|bearer|signature|^sig$',
    '(?:api|private|access|signing|encryption|hmac|master)key|^session(?:id|key)?$|^otp$|^pin$|mnemonic',
    'e?mail|phone|mobile|^tel$|^fax$|address|^street|^(?:zip|postal)code$|^postcode$|^ip$',
    '(?:first|last|full|given|family|middle|maiden|display|user|nick|customer|holder|contact|sur)name|^name$',
    'iban|^bic$|(?<!dis|wild)card(?!inal)|^pan$|^cv[cv]2?$|accountnumber|routingnumber|sortcode',
    '^ssn$|socialsecurity|taxid|vatid|passport|nationalid|driverlicen[cs]e|birth|^dob$',
  ].join('|'),
);
/** Counts of tokens (language models, rate limits) are no secret. */
const countKey = /tokens?(?:count|limit|used|left)?$/;

const luhnValid = (digits: string): boolean => {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
};

/** ISO 7812: networks' numbers begin with 2 to 6, which leaves epoch times (they begin with 1) alone. */
const isCardNumber = (digits: string): boolean => /^[2-6]\d{12,18}$/.test(digits) && luhnValid(digits);

/** ISO 13616: the rearranged number, letters as 10 to 35, is 1 modulo 97. */
const isIban = (iban: string): boolean => {
  let remainder = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    for (const digit of Number.parseInt(character, 36).toString()) remainder = (remainder * 10 + Number(digit)) % 97;
  }
  return remainder === 1;
};

/** One look that tells most strings clean. It may cry wolf; it must match whatever a pattern below matches. */
const suspicious =
  /@|\d[ -]?\d[ -]?\d[ -]?\d|:\/\/|_|eyJ|AIza|bearer|basic|private key|pass|pwd|secret|token|key|auth|cookie|signature|\+\d/i;

/**
 * No quantifier here can start again inside its own match, so each pattern is linear in the string's length.
 */
const patterns: readonly (readonly [RegExp, (match: string, ...groups: string[]) => string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g, () => redacted],
  [
    /\b(authorization|cookie|set-cookie)(["']?\s*[:=]\s*)[^\r\n]+/gi,
    (_match, key, equals) => `${key}${equals}${redacted}`,
  ],
  [
    /((?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|signature|sig|credential)["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"'&;,}\])]+/gi,
    (_match, key) => `${key}${redacted}`,
  ],
  [/(:\/\/)[^\s/?#@:]*:[^\s/?#@]*@/g, (_match, slashes) => `${slashes}${redacted}@`],
  [/\b(bearer|basic)\s+[\w.~+/-]{8,}=*/gi, (_match, scheme) => `${scheme} ${redacted}`],
  [/(?<!\w)eyJ[\w-]+(?:\.[\w-]*)+/g, () => redacted],
  [
    new RegExp(
      `(?<![A-Za-z0-9])(?:${credentialPrefixes.join('|')}|whsec_|(?:sk|rk|pk)_(?:live|test)_|gh[pousr]_|xox[abprs]-)[\\w.+/=-]+`,
      'g',
    ),
    () => redacted,
  ],
  [/(?<!\w)AIza[\w-]{30,}/g, () => redacted],
  [/(?<![^\s"'<>(),;:=[\]{}])[^\s@"'<>(),;:=[\]{}]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu, () => redacted],
  [
    /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g,
    (match) => (isIban(match.replaceAll(' ', '')) ? redacted : match),
  ],
  [
    /(?<![\w+.-])\d(?:[ -]?\d){12,18}(?![\w-])/g,
    (match) => (isCardNumber(match.replace(/[ -]/g, '')) ? redacted : match),
  ],
  [/(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)/g, () => redacted],
];

/** Ends at a word boundary, because half a token would match no pattern. */
const shorten = (text: string): string => {
  if (text.length <= maxStringLength) return text;
  const kept = text.slice(0, maxStringLength).replace(/\S+$/, '');
  return `${kept}[${text.length - kept.length} more characters]`;
};

/** The text without secrets and personal data, at most about 8,192 characters of it. */
export const redactText = (text: string): string => {
  const short = shorten(text);
  if (!suspicious.test(short)) return short;
  let clean = short;
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement);
  return clean;
};

const verdicts = new Map<string, boolean>();

const isSensitive = (key: string): boolean => {
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const verdict = sensitiveKey.test(key.replace(/[^A-Za-z0-9]/g, '').toLowerCase());
  if (verdicts.size < maxRememberedKeys) verdicts.set(key, verdict);
  return verdict;
};

const redactField = (key: string, value: unknown, depth: number, path: object[]): unknown => {
  if (!isSensitive(key)) return redactValue(value, depth, path);
  if (value === undefined || value === null || typeof value === 'boolean') return value;
  return typeof value === 'number' && countKey.test(key.toLowerCase()) ? value : redacted;
};

const redactError = (error: Error, depth: number, path: object[]): Record<string, unknown> => {
  const { name, message, stack, cause, ...own } = error;
  return {
    ...redactEntries(Object.entries(own), depth, path),
    name: redactText(String(name)),
    message: redactText(String(message)),
    ...(typeof stack === 'string' ? { stack: redactText(stack) } : {}),
    ...(cause === undefined ? {} : { cause: redactValue(cause, depth + 1, path) }),
    ...(error instanceof AggregateError ? { errors: redactItems(error.errors, depth + 1, path) } : {}),
  };
};

const redactEntries = (
  entries: Iterable<readonly [unknown, unknown]>,
  depth: number,
  path: object[],
): Record<string, unknown> => {
  const clean: [string, unknown][] = [];
  for (const [key, value] of entries) {
    if (clean.length === maxEntries) {
      clean.push(['…', 'more left out']);
      break;
    }
    const name = typeof key === 'string' ? key : String(redactValue(key, maxDepth, path));
    // A key can be data too: a map by e-mail address.
    clean.push([redactText(name), redactField(name, value, depth + 1, path)]);
  }
  // Unlike assignment, this keeps a key `__proto__` a plain key.
  return Object.fromEntries(clean);
};

const redactItems = (items: Iterable<unknown>, depth: number, path: object[]): unknown[] => {
  const clean: unknown[] = [];
  for (const item of items) {
    if (clean.length === maxEntries) {
      clean.push('… more left out');
      break;
    }
    clean.push(redactValue(item, depth + 1, path));
  }
  return clean;
};

const redactObject = (value: object, depth: number, path: object[]): unknown => {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof RegExp || value instanceof URL) return redactText(String(value));
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (path.includes(value)) return '[circular]';
  if (depth >= maxDepth) return '[too deep]';
  path.push(value);
  try {
    if (value instanceof Error) return redactError(value, depth, path);
    if (value instanceof Map) return redactEntries(value, depth, path);
    if (value instanceof Set || Array.isArray(value)) return redactItems(value, depth, path);
    return redactEntries(Object.entries(value), depth, path);
  } catch {
    // A getter that throws must not take the log line with it.
    return '[unreadable]';
  } finally {
    path.pop();
  }
};

const redactValue = (value: unknown, depth: number, path: object[]): unknown => {
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'number':
      return Number.isSafeInteger(value) && value >= 2e12 && isCardNumber(String(value)) ? redacted : value;
    case 'bigint':
      return redactText(String(value));
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : redactObject(value, depth, path);
    default:
      return value;
  }
};

/**
 * A JSON-safe copy without secrets and personal data: by the names of keys at any depth, and by pattern in every
 * string. Bounded: 8 levels, 100 entries a level, 8,192 characters a string; cycles are cut.
 */
export const redact = (value: unknown): unknown => redactValue(value, 0, []);

/** As `redact`, for the fields of a log line or span. */
export const redactFields = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  redactEntries(Object.entries(fields), 0, []);
