import { Resolver } from 'node:dns/promises';
import { OmniError } from '../../kernel/errors.ts';
import type { DnsTexts } from './dns.ts';

export interface NodeDnsOptions {
  /** `192.0.2.53` or `192.0.2.53:5353`; the system's where there are none. */
  readonly servers?: readonly string[];
  /** Milliseconds for each attempt. 2,000 where absent. */
  readonly timeout?: number;
}

/** Answers, not failures: there is no such name, or it has no such record (RFC 1035, section 4.1.1). */
const nothing = new Set(['ENOTFOUND', 'ENODATA']);
const attempts = 2;
/** Of what a stranger's DNS server says: enough for a zone with many other proofs. */
const maxTexts = 100;

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** Node's own resolver, which asks the servers directly and knows no hosts file. */
export const nodeDns = ({ servers = [], timeout = 2_000 }: NodeDnsOptions = {}): DnsTexts => {
  const resolver = new Resolver({ timeout, tries: attempts });
  if (servers.length > 0) resolver.setServers([...servers]);
  return {
    txt: async (name) => {
      try {
        const records = await resolver.resolveTxt(name);
        return records.slice(0, maxTexts).map((chunks) => chunks.join(''));
      } catch (error) {
        if (nothing.has(String(codeOf(error)))) return [];
        throw new OmniError('unavailable', 'DNS did not answer.', { cause: error });
      }
    },
  };
};
