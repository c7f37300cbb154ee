import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import { stripeGateway } from '../gateways/stripe.ts';
import { bookedOn } from '../ledger/booked.ts';
import { inBook } from '../ledger/chart.ts';
import type { Ledger } from '../ledger/ledger.service.ts';
import { gatewayAccounts } from '../payments/payment.facts.ts';
import type { BalanceView } from './stripe.schema.ts';
import type { StripeAccounts } from './stripe-accounts.ts';

export interface StripeBalances {
  /**
   * What Stripe says now that it owes the tenant's account, against the books. Fails with `precondition-failed` where
   * the tenant has no account, and as calls of Stripe do.
   */
  compare(actor: Actor): Promise<BalanceView>;
}

export interface StripeBalancesOptions {
  readonly client: StripeClient;
  readonly accounts: StripeAccounts;
  readonly ledger: Pick<Ledger, 'balance'>;
  readonly clock: Clock;
}

export const createStripeBalances = ({ client, accounts, ledger, clock }: StripeBalancesOptions): StripeBalances => {
  const { pending } = gatewayAccounts('stripe');
  const mode = client.livemode ? 'live' : 'test';

  return {
    compare: async (actor) => {
      const account = await accounts.of(actor.tenant);
      const balances = (await stripeGateway({ client, account, clock }).balances?.()) ?? [];
      const items = await Promise.all(
        balances.map(async ({ available, pending: onItsWay }) => {
          const { currency } = available;
          const booked = await bookedOn(ledger, actor, `${inBook(mode, pending)}@${currency}`);
          const owed = available.amount + onItsWay.amount;
          const difference = owed - booked;
          return { currency, available: available.amount, pending: onItsWay.amount, booked, difference };
        }),
      );
      return { account, mode, at: isoTime(clock.now()), items };
    },
  };
};
