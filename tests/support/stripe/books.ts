import { eventMaker } from '#shared/events/define-event.ts';
import { type Actor, systemActor } from '#shared/kernel/actor.ts';
import type { ManualClock } from '#shared/kernel/clock.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createStripeClient } from '#shared/payments/gateways/stripe.client.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
} from '#shared/payments/ledger/ledger.schema.ts';
import { createLedger } from '#shared/payments/ledger/ledger.service.ts';
import { createStripeServices } from '#shared/payments/stripe/stripe.services.ts';
import { stripeObjectOf } from '#shared/payments/stripe/stripe-objects.ts';
import type { Database } from '#shared/store/store.ts';
import { accountCollection } from '#shared/webhooks/index.ts';
import type { StripeServer } from '../stripe-server.ts';

/** Stripe's records and the books of them over a database, for any number of tenants. */
export const stripeBooks = (database: Database, server: StripeServer, clock: ManualClock) => {
  const client = createStripeClient({
    secretKey: server.secretKey,
    baseUrl: server.baseUrl,
    clock,
    wait: async () => {},
  });
  const makeEvent = eventMaker({ source: 'omni/payments', clock, newId });
  const ledger = createLedger({
    database,
    accounts: database.tenants(ledgerAccountCollection),
    entries: database.tenants(ledgerEntryCollection),
    balances: database.tenants(ledgerBalanceCollection),
    clock,
  });
  const services = createStripeServices({ database, client, ledger, makeEvent, newId, clock });
  const actorOf = (tenant: string): Actor => systemActor(tenant, 'tests');
  const refresh = (tenant: string, account: string, object: NonNullable<ReturnType<typeof stripeObjectOf>>) =>
    services.stripeSync.refresh(object.kind, { tenant, account, id: object.id }, database.transaction);
  return {
    ...services,
    client,
    ledger,
    makeEvent,
    refresh,
    connect: (tenant: string, account: string) =>
      database
        .platform(accountCollection)
        .create(`stripe:${account}`, { tenant, connectedAt: '2026-01-01T00:00:00.000Z' }),
    /** Looks at everything that events of the account tell of, customers first. */
    catchUp: async (tenant: string, account: string): Promise<void> => {
      const objects = server
        .of(account)
        .events.flatMap(({ type, data }) => stripeObjectOf(type, { ...data.object }) ?? []);
      const known = new Map(objects.map((object) => [`${object.kind}:${object.id}`, object]));
      const ordered = [...known.values()].sort((a, b) => Number(b.kind === 'customer') - Number(a.kind === 'customer'));
      for (const object of ordered) await refresh(tenant, account, object);
    },
    /** Minor units by account, a debit positive; what is zero is left out. */
    balances: async (tenant: string, currency = 'EUR'): Promise<Record<string, number>> => {
      const request = { currency, book: 'test', limit: 100 } as const;
      const { items, difference } = await ledger.trialBalance(actorOf(tenant), request);
      const all = items.map(({ account, debit, credit }) => [account.replace('test:', ''), debit - credit] as const);
      const total = difference === 0 ? [] : [['difference', difference] as const];
      return Object.fromEntries([...all, ...total].filter(([, amount]) => amount !== 0));
    },
    /** A transaction's lines. */
    posted: async (tenant: string, key: string): Promise<Record<string, number>> => {
      const { entries } = await ledger.get(actorOf(tenant), key);
      return Object.fromEntries(entries.map(({ account, amount }) => [account, amount]));
    },
  };
};
