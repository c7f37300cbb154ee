import { domainToASCII, domainToUnicode } from 'node:url';
import * as z from 'zod';
import { emailAddress } from '../../messaging/index.ts';

/** Scripts that one label may mix (Unicode TR 39, section 5.2, "highly restrictive", without Latin). */
const scripts = [
  /^[\p{scx=Latin}\p{scx=Common}\p{scx=Inherited}]*$/u,
  /^[\p{scx=Cyrillic}\p{scx=Common}\p{scx=Inherited}]*$/u,
  /^[\p{scx=Greek}\p{scx=Common}\p{scx=Inherited}]*$/u,
  /^[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Common}\p{scx=Inherited}]*$/u,
  /^[\p{scx=Han}\p{scx=Hangul}\p{scx=Common}\p{scx=Inherited}]*$/u,
  /^[\p{scx=Han}\p{scx=Bopomofo}\p{scx=Common}\p{scx=Inherited}]*$/u,
];
const foreign = /[^\p{scx=Latin}\p{scx=Common}\p{scx=Inherited}\p{scx=Cyrillic}\p{scx=Greek}]/u;

/** Cyrillic, Greek and extended Latin letters that read as ASCII ones (Unicode TR 39, confusables). */
const lookAlikes = /^[аеорсухіјѕԁԛԝһӏвнкмтьԍɡαορνιυκτχεɑıƅⅼ\d-]+$/u;

const hasScript = /\p{L}/u;

/** A label that pretends to be another: of several scripts, or of letters that all look like ASCII ones. */
const isDeceptive = (label: string): boolean => {
  if (/^[\0-\x7f]*$/.test(label)) return false;
  if (lookAlikes.test(label) && hasScript.test(label)) return true;
  if (scripts.some((script) => script.test(label))) return false;
  // Other scripts (Arabic, Hebrew, Thai, …) may not meet Latin, Cyrillic or Greek in one label.
  return !foreign.test(label) || /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]/u.test(label);
};

/**
 * The one form of an address: NFKC (full-width letters become plain ones), lower case, the domain as it is in DNS.
 * Undefined for what is no address that we would send to: a local part beyond ASCII, control characters, a domain
 * that pretends to be another.
 */
export const normaliseEmail = (text: string): string | undefined => {
  const plain = text.normalize('NFKC').trim();
  const at = plain.lastIndexOf('@');
  const domain = plain.slice(at + 1);
  // Node's parser takes whole URLs apart: only a host name may get there.
  const ascii = /^[\p{L}\p{M}\p{N}.-]+$/u.test(domain) ? domainToASCII(domain) : '';
  const unicode = domainToUnicode(ascii);
  if (at < 1 || ascii === '' || unicode.split('.').some(isDeceptive)) return undefined;
  const address = `${plain.slice(0, at).toLowerCase()}@${ascii}`;
  return at <= 64 && emailAddress.safeParse(address).success ? address : undefined;
};

/** An address as a client sends it; what comes out is its one form. */
export const emailSchema = z
  .string()
  .min(3)
  .max(254)
  .transform((text, context) => {
    const address = normaliseEmail(text);
    if (address === undefined) {
      context.addIssue({ code: 'custom', message: 'Must be an email address' });
      return z.NEVER;
    }
    return address;
  })
  .meta({
    format: 'email',
    description: 'An email address. Upper and lower case are the same.',
    examples: ['ada@example.com'],
  });
