import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import type { ConnectedGateway, GatewayAccountService } from '../accounts/gateway-account.service.ts';
import type { GatewayBalance, GatewayPayment } from '../gateways/gateway.ts';
import { bookedOn } from '../ledger/booked.ts';
import { inBook } from '../ledger/chart.ts';
import type { Ledger } from '../ledger/ledger.service.ts';
import type { BookedBesides } from '../stripe/stripe-booked.ts';
import { factsOf, gatewayAccounts, postingOf } from './payment.facts.ts';
import type { Payment } from './payment.schema.ts';

export const reconciliationViewSchema = z
  .object({
    account: z.string(),
    at: z.iso.datetime(),
    /** Whether all payments of the range were compared, or there were too many for one call. */
    complete: z.boolean(),
    currencies: z.array(
      z.object({
        currency: z.string(),
        gateway: z.number().meta({ description: 'What the gateway says that it owes, in minor units.' }),
        ledger: z.number(),
        difference: z.number(),
        explained: z.number(),
        unexplained: z.number().meta({ description: 'Such as payouts that were not posted.' }),
      }),
    ),
    items: z.array(
      z.object({
        payment: z.string().nullable(),
        gatewayReference: z.string(),
        currency: z.string(),
        amount: z.number(),
        reason: z.string(),
      }),
    ),
  })
  .meta({ id: 'LedgerReconciliation' });
export type ReconciliationView = z.infer<typeof reconciliationViewSchema>;

export const gatewayBalanceViewSchema = z
  .object({
    currency: z.string(),
    available: z.int().meta({ description: 'What can be paid out, in minor units. Negative where the account owes.' }),
    pending: z.int().meta({ description: 'What is on its way to that.' }),
    withheld: z
      .int()
      .nullable()
      .meta({ description: 'What is held back, as for disputes; null where it is taken out.' }),
  })
  .meta({ id: 'GatewayBalance' });
export type GatewayBalanceView = z.infer<typeof gatewayBalanceViewSchema>;

export interface BalanceOptions {
  readonly payments: TenantStore<Payment>;
  readonly bookedBesides: BookedBesides;
  readonly accounts: Pick<GatewayAccountService, 'open'>;
  readonly ledger: Pick<Ledger, 'balance'>;
  readonly clock: Clock;
}

export interface BalanceService {
  /** What a gateway says now that it owes the account. Fails with `precondition-failed` where it tells no balance. */
  balances(actor: Actor, account: string): Promise<readonly GatewayBalanceView[]>;
  /**
   * Compares what a gateway says that it owes with the books, and explains the difference payment by payment: what is
   * there and not booked yet, and what is no payment of ours. Fails with `precondition-failed` where it tells no balance.
   */
  reconcile(actor: Actor, account: string, since: string): Promise<ReconciliationView>;
}

const maxPages = 10;
const maxItems = 200;

type Item = ReconciliationView['items'][number];

export const createBalances = ({
  payments,
  bookedBesides,
  accounts,
  ledger,
  clock,
}: BalanceOptions): BalanceService => {
  /** What a payment moves at the gateway that the books do not have. */
  const unbooked = (
    { gateway }: ConnectedGateway,
    remote: GatewayPayment,
    local: Payment | undefined,
    known: ReadonlySet<string>,
    on: readonly string[],
  ): Item[] => {
    return factsOf(gateway.name, remote)
      .filter(({ key }) => !known.has(key))
      .flatMap((fact) => {
        const lines = postingOf(remote.reference, 'live', fact).flatMap((posting) => posting.lines);
        const sums = new Map<string, number>();
        for (const { amount } of lines.filter(({ account }) => on.includes(account))) {
          sums.set(amount.currency, (sums.get(amount.currency) ?? 0) + amount.amount);
        }
        // What only moves between them changes nothing of the whole.
        return [...sums]
          .filter(([, amount]) => amount !== 0)
          .map(([currency, amount]) => ({
            payment: local === undefined ? null : (remote.payment ?? null),
            gatewayReference: remote.reference,
            currency,
            amount,
            reason: local === undefined ? `no payment of ours: ${fact.key}` : `not booked yet: ${fact.key}`,
          }));
      });
  };

  const differences = async (tenant: string, connected: ConnectedGateway, since: string, on: readonly string[]) => {
    const items: Item[] = [];
    const { gateway } = connected;
    if (gateway.list === undefined) return { items, complete: false };
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const { items: told, nextCursor } = await gateway.list(since, cursor);
      // Where the list is one of what happened, a payment may be on several pages.
      const remotes = told.filter(({ reference }) => !seen.has(reference));
      for (const { reference } of remotes) seen.add(reference);
      const [found, besides] = await Promise.all([
        payments.of(tenant).getMany(remotes.map(({ payment }) => payment ?? 'none')),
        bookedBesides(
          tenant,
          gateway.name,
          remotes.map(({ reference }) => reference),
        ),
      ]);
      remotes.forEach((remote, i) => {
        const local = found[i]?.value.account === connected.id ? found[i].value : undefined;
        const known = local === undefined ? besides.get(remote.reference) : local.facts.map(({ key }) => key);
        items.push(...unbooked(connected, remote, local, new Set(known), on));
      });
      if (nextCursor === null) return { items, complete: true };
      cursor = nextCursor;
    }
    return { items, complete: false };
  };

  const balancesOf = async ({ gateway }: ConnectedGateway) => {
    if (gateway.balances === undefined) throw new OmniError('precondition-failed', 'This gateway tells no balance.');
    return gateway.balances();
  };

  /** In every currency that the gateway names, and in those that something is missing in. `on` is accounts of the books. */
  const compared = async (
    actor: Actor,
    balances: readonly GatewayBalance[],
    on: readonly string[],
    items: readonly Item[],
  ): Promise<ReconciliationView['currencies']> => {
    const owed = new Map(
      balances.map(({ available, pending, withheld }) => [
        available.currency,
        available.amount + pending.amount + (withheld?.amount ?? 0),
      ]),
    );
    const all = await Promise.all(
      [...new Set([...owed.keys(), ...items.map(({ currency }) => currency)])].map(async (currency) => {
        const each = await Promise.all(on.map((name) => bookedOn(ledger, actor, `${name}@${currency}`)));
        const booked = each.reduce((sum, one) => sum + one, 0);
        const ofCurrency = items.filter((item) => item.currency === currency);
        const explained = ofCurrency.reduce((sum, { amount }) => sum + amount, 0);
        // What it changes into another currency it does not owe in the first: there it may name no balance.
        const total = owed.get(currency) ?? 0;
        const difference = total - booked;
        return { currency, gateway: total, ledger: booked, difference, explained, unexplained: difference - explained };
      }),
    );
    return all.filter(
      ({ currency, difference, explained }) => owed.has(currency) || difference !== 0 || explained !== 0,
    );
  };

  return {
    balances: async ({ tenant }, id) =>
      (await balancesOf(await accounts.open(tenant, id))).map(({ available, pending, withheld }) => ({
        currency: available.currency,
        available: available.amount,
        pending: pending.amount,
        withheld: withheld?.amount ?? null,
      })),
    reconcile: async (actor, id, since) => {
      const connected = await accounts.open(actor.tenant, id);
      const { gateway, account } = connected;
      const balances = await balancesOf(connected);
      const names = gatewayAccounts(gateway.name);
      // What is held back for disputes is in the books too, on an account of its own.
      const isHeld = balances.some(({ withheld }) => withheld !== undefined);
      const on = isHeld ? [names.pending, names.disputes] : [names.pending];
      const { items, complete } = await differences(actor.tenant, connected, since, on);
      const booked = on.map((name) => inBook(account.mode, name));
      const currencies = await compared(actor, balances, booked, items);
      return { account: id, at: isoTime(clock.now()), complete, currencies, items: items.slice(0, maxItems) };
    },
  };
};
