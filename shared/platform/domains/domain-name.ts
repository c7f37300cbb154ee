import { domainToASCII, domainToUnicode } from 'node:url';
import { OmniError } from '../../kernel/errors.ts';

const refuse = (message: string): never => {
  throw new OmniError('invalid-request', 'Some fields are not valid.', { issues: [{ path: 'body.domain', message }] });
};

/**
 * A host name in its form in DNS. Refuses what nobody can own: addresses, names without a public suffix, and public
 * suffixes themselves, private ones (`github.io`) too, by the list of https://publicsuffix.org.
 */
export const domainNameOf = async (text: string): Promise<string> => {
  const plain = text.normalize('NFKC').trim().replace(/\.$/, '');
  // Node's parser takes whole URLs apart: only a host name may get there.
  const ascii = /^[\p{L}\p{M}\p{N}.-]+$/u.test(plain) ? domainToASCII(plain) : '';
  const labels = ascii.split('.');
  const isName = labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  if (ascii === '' || ascii.length > 230 || !isName || domainToUnicode(ascii) === '') return refuse('Must be a domain');
  const { parse } = await import('tldts');
  const { isIp, isIcann, isPrivate, domain } = parse(ascii, { allowPrivateDomains: true });
  if (isIp === true || domain === null || !(isIcann === true || isPrivate === true)) {
    return refuse('Must be a domain that can be registered, or one below it');
  }
  return ascii;
};
