import { domainToUnicode } from 'node:url';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditActor, AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Quotas } from '../quotas/quota.service.ts';
import type { DnsTexts } from './dns.ts';
import {
  type CustomDomain,
  type CustomDomainView,
  challengeLabel,
  type DomainCheck,
  type DomainHost,
} from './domain.schema.ts';
import { domainNameOf } from './domain-name.ts';

export interface DomainService {
  /** Any number of tenants may claim a domain; claiming gives nothing. Fails with `already-exists` for one's own. */
  claim(actor: Actor, domain: string): Promise<CustomDomainView>;
  list(actor: Actor, request: PageRequest): Promise<Page<CustomDomainView>>;
  get(actor: Actor, domain: string): Promise<CustomDomainView>;
  /** Looks into DNS now. Whether it is proved, the answer says. */
  verify(actor: Actor, domain: string): Promise<CustomDomainView>;
  /** It leads here no more from this moment. */
  remove(actor: Actor, domain: string): Promise<void>;
  /** One look into DNS, as writes for a transaction; undefined where there is no such claim any more. */
  check(by: AuditActor, domain: string): Promise<((transaction: Transaction) => Promise<CustomDomainView>) | undefined>;
  /** Whose a verified domain is. */
  tenantOf(host: string): Promise<string | undefined>;
}

export interface DomainOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly domains: TenantStore<CustomDomain>;
  readonly hosts: Store<DomainHost>;
  readonly checks: Store<DomainCheck>;
  readonly dns: DnsTexts;
  readonly quotas: Pick<Quotas, 'take'>;
  readonly audit: AuditLog;
  readonly newSecret: () => string;
  readonly clock: Clock;
}

const minute = 60_000;
const dayLength = 24 * 60 * minute;
/** Milliseconds after which a claim that was not proved has failed. */
const patience = 7 * dayLength;
const maxAttempts = 10;
/** Looks in a row at which the proof of a verified domain may be missing: three days. */
const maxMissing = 3;

/** 10 minutes, 20, 40, … up to 12 hours; a day once it is verified. */
const pauseAfter = ({ status, checks }: CustomDomain): number =>
  status === 'verified' ? dayLength : Math.min(10 * minute * 2 ** Math.min(checks, 10), dayLength / 2);

const viewOf = ({ proof, ...claim }: CustomDomain): CustomDomainView => ({
  ...claim,
  unicode: domainToUnicode(claim.domain),
  record: { type: 'TXT', name: `${challengeLabel}.${claim.domain}`, value: proof },
});

type Finding = 'proved' | NonNullable<CustomDomain['problem']>;

const checkId = (tenant: string, domain: string): string => `${tenant}~${domain}`;

export const createDomainService = (options: DomainOptions): DomainService => {
  const { database, domains, hosts, checks, dns, quotas, audit, newSecret, clock } = options;

  const find = async (tenant: string, domain: string): Promise<Stored<CustomDomain>> => {
    const claim = await domains.of(tenant).get(domain);
    if (claim === undefined) throw new OmniError('not-found', 'There is no such domain.');
    return claim;
  };

  const record = (transaction: Transaction, by: AuditActor, action: string, domain: string) =>
    audit.record(transaction, by, {
      action: `platform.domain.${action}`,
      target: { type: 'domain', id: domain },
      outcome: action === 'failed' ? 'failure' : 'success',
    });

  const look = async (tenant: string, { domain, proof }: CustomDomain, host: Stored<DomainHost> | undefined) => {
    let texts: readonly string[];
    try {
      texts = await dns.txt(`${challengeLabel}.${domain}`);
    } catch (error) {
      if (isOmniError(error, 'unavailable')) return 'dns-failed';
      throw error;
    }
    if (texts.includes(proof)) return host !== undefined && host.value.tenant !== tenant ? 'taken' : 'proved';
    return texts.length === 0 ? 'no-record' : 'other-record';
  };

  /** What a look makes of a claim. That DNS did not answer says nothing against one that was proved before. */
  const after = (claim: CustomDomain, finding: Finding): CustomDomain => {
    const now = clock.now();
    const { problem: _, nextCheckAt: __, ...rest } = claim;
    const counted = { ...rest, lastCheckAt: isoTime(now), checks: rest.checks + 1 };
    if (finding === 'proved') {
      const next: CustomDomain = {
        ...counted,
        status: 'verified',
        checks: 0,
        verifiedAt: rest.verifiedAt ?? isoTime(now),
      };
      return { ...next, nextCheckAt: isoTime(now + pauseAfter(next)) };
    }
    const wasVerified = rest.status === 'verified';
    const missing = finding === 'dns-failed' && wasVerified ? rest.checks : counted.checks;
    const isOver = wasVerified ? missing >= maxMissing : Date.parse(rest.expiresAt) <= now;
    const next: CustomDomain = { ...counted, checks: missing, problem: finding };
    if (isOver) return { ...next, status: 'failed' };
    return { ...next, nextCheckAt: isoTime(now + pauseAfter(next)) };
  };

  const check: DomainService['check'] = async (by, domain) => {
    const { tenant } = by;
    // The claim first: whoever changes its other documents changes it as well, so that its revision guards them too.
    const claim = await domains.of(tenant).get(domain);
    if (claim === undefined) return undefined;
    const [host, due] = await Promise.all([hosts.get(domain), checks.get(checkId(tenant, domain))]);
    const next = after(claim.value, await look(tenant, claim.value, host));
    const isOurs = host?.value.tenant === tenant;
    return async (transaction) => {
      if (next.status !== claim.value.status) await record(transaction, by, next.status, domain);
      transaction.update(domains.of(tenant), domain, next, { revision: claim.revision });
      if (next.status === 'verified' && !isOurs) {
        transaction.create(hosts, domain, { tenant, verifiedAt: isoTime(clock.now()) });
      }
      if (next.status === 'failed' && isOurs) transaction.delete(hosts, domain, { revision: host.revision });
      const id = checkId(tenant, domain);
      if (next.nextCheckAt === undefined) transaction.delete(checks, id);
      else if (due === undefined) transaction.create(checks, id, { tenant, domain, dueAt: next.nextCheckAt });
      else transaction.update(checks, id, { tenant, domain, dueAt: next.nextCheckAt }, { revision: due.revision });
      return viewOf(next);
    };
  };

  return {
    check,
    claim: async (actor, text) => {
      const domain = await domainNameOf(text);
      const now = clock.now();
      const value: CustomDomain = {
        domain,
        status: 'pending',
        proof: `omni-domain-verification=${newSecret()}`,
        checks: 0,
        nextCheckAt: isoTime(now + 10 * minute),
        expiresAt: isoTime(now + patience),
        createdAt: isoTime(now),
      };
      const { tenant } = actor;
      return quotas
        .take(tenant, 'customDomains', async () => async (transaction) => {
          await record(transaction, actor, 'claimed', domain);
          transaction.create(domains.of(tenant), domain, value);
          const dueAt = isoTime(now + 10 * minute);
          transaction.create(checks, checkId(tenant, domain), { tenant, domain, dueAt });
          return viewOf(value);
        })
        .catch((error: unknown) => {
          throw isOmniError(error, 'already-exists')
            ? new OmniError('already-exists', 'This tenant has claimed the domain already.')
            : error;
        });
    },
    list: async ({ tenant }, request) => {
      const page = await domains.of(tenant).query(request);
      return { ...page, items: page.items.map(({ value }) => viewOf(value)) };
    },
    get: async ({ tenant }, domain) => viewOf((await find(tenant, domain)).value),
    verify: (actor, domain) =>
      retrying(maxAttempts, async () => {
        const { value } = await find(actor.tenant, domain);
        if (value.status === 'failed') throw new OmniError('precondition-failed', 'It has failed: claim it again.');
        const write = await check(actor, domain);
        if (write === undefined) throw new OmniError('not-found', 'There is no such domain.');
        return database.transaction(write).catch((error: unknown) => {
          // Somebody else proved it, or its check was put down, at this moment: the next look knows.
          throw isOmniError(error, 'already-exists')
            ? new OmniError('revision-conflict', 'It was changed meanwhile.')
            : error;
        });
      }),
    remove: (actor, domain) =>
      retrying(maxAttempts, async () => {
        const { tenant } = actor;
        const claim = await find(tenant, domain);
        const host = await hosts.get(domain);
        await database.transaction(async (transaction) => {
          await record(transaction, actor, 'removed', domain);
          transaction.delete(domains.of(tenant), domain, { revision: claim.revision });
          transaction.delete(checks, checkId(tenant, domain));
          if (host?.value.tenant === tenant) transaction.delete(hosts, domain, { revision: host.revision });
        });
      }),
    tenantOf: async (host) => (await hosts.get(host))?.value.tenant,
  };
};
