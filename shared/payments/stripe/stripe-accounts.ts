import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Store } from '../../store/store.ts';
import type { Account } from '../../webhooks/index.ts';

export interface StripeAccounts {
  /** The tenant's account, the one that was connected first. Fails with `precondition-failed` where there is none. */
  of(tenant: string): Promise<string>;
  /** The same; undefined where there is none. */
  find(tenant: string): Promise<string | undefined>;
  /** Whose an account is. */
  tenantOf(account: string): Promise<string | undefined>;
}

const prefix = 'stripe:';
/** How late an instance learns of a change. Milliseconds. */
const trustFor = 30_000;
const maxKnown = 10_000;
/** More than anybody connects, of all providers. */
const maxAccounts = 100;

/** Remembers answers for a while; an absence is not remembered. */
const remembering = <V>(clock: Clock, load: (key: string) => Promise<V | undefined>) => {
  const known = new Map<string, { readonly value: V; readonly until: number }>();
  return async (key: string): Promise<V | undefined> => {
    const trusted = known.get(key);
    if (trusted !== undefined && trusted.until > clock.now()) return trusted.value;
    const value = await load(key);
    if (value === undefined) return undefined;
    if (known.size >= maxKnown) known.clear();
    known.set(key, { value, until: clock.now() + trustFor });
    return value;
  };
};

/** The mapping of accounts to tenants, which webhooks come in by too, read in both directions. */
export const createStripeAccounts = (accounts: Store<Account>, clock: Clock): StripeAccounts => {
  const accountOf = remembering(clock, async (tenant) => {
    const where = [{ field: 'tenant', op: '==', value: tenant }] as const;
    const { items } = await accounts.query({ where, limit: maxAccounts });
    return items
      .filter(({ id }) => id.startsWith(prefix))
      .sort((a, b) => (a.value.connectedAt < b.value.connectedAt ? -1 : 1))[0]
      ?.id.slice(prefix.length);
  });
  return {
    find: accountOf,
    tenantOf: remembering(clock, async (account) => (await accounts.get(`${prefix}${account}`))?.value.tenant),
    of: async (tenant) => {
      const account = await accountOf(tenant);
      if (account !== undefined) return account;
      throw new OmniError('precondition-failed', 'This tenant has no Stripe account connected.');
    },
  };
};
