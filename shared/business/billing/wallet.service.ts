import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import { writeOver } from './biller.ts';
import type { CreditMoved } from './billing.events.ts';
import { badField, currencySchema, lineOf, notFound, timeSchema } from './billing.fields.ts';
import { againOnConflict } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import type { BillingSettingsService } from './settings.service.ts';
import { creditEvent, expiryEvents } from './wallet.events.ts';
import {
  balanceOf,
  creditSchema,
  emptyWallet,
  settleHold,
  type Wallet,
  walletSchema,
  withCredit,
  withHold,
} from './wallet.ts';

const amount = z
  .int()
  .min(1)
  .max(1_000_000_000_000)
  .meta({ description: 'Minor units.', examples: [5_000] });

export const newCreditSchema = z
  .strictObject({
    amount,
    currency: currencySchema,
    reason: lineOf(200).meta({ description: 'Why it is given.', examples: ['For the outage in May'] }),
    expiresAt: timeSchema.nullable().default(null).meta({ description: 'From then on it is gone; null for never.' }),
  })
  .meta({ id: 'NewWalletCredit', examples: [{ amount: 5_000, currency: 'EUR', reason: 'For the outage in May' }] });

export const newHoldSchema = z
  .strictObject({
    amount,
    currency: currencySchema,
    seconds: z.int().min(1).max(604_800).default(3_600).meta({ description: 'After which it ends by itself.' }),
  })
  .meta({ id: 'NewWalletHold', examples: [{ amount: 5_000, currency: 'EUR', seconds: 900 }] });

export const walletViewSchema = z
  .object({
    balances: z.array(
      z.object({
        currency: currencySchema,
        balance: z.int().meta({ description: 'What is there.' }),
        available: z.int().meta({ description: 'What of it is not held.' }),
      }),
    ),
    credits: z.array(creditSchema),
    holds: walletSchema.shape.holds,
  })
  .meta({ id: 'Wallet', description: 'A customer’s credit. What expires first is spent first.' });
export type WalletView = z.infer<typeof walletViewSchema>;

/** Fails with `not-found` where there is no such customer. */
export interface WalletService {
  get(actor: Actor, customer: string): Promise<WalletView>;
  /** Fails with `precondition-failed` where the wallet holds as many credits as it can. */
  grant(actor: Actor, customer: string, credit: z.infer<typeof newCreditSchema>): Promise<WalletView>;
  /** Keeps an amount from being spent on anything else. Fails with `precondition-failed` where there is too little. */
  hold(
    actor: Actor,
    customer: string,
    hold: z.infer<typeof newHoldSchema>,
  ): Promise<WalletView & { readonly id: string }>;
  /** Ends a hold and spends what was used of it; 0 only gives it back. Fails with `not-found` where it is over. */
  settle(actor: Actor, customer: string, hold: string, used: number): Promise<WalletView>;
}

export interface WalletServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly wallets: TenantStore<Wallet>;
  readonly customers: TenantStore<Customer>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
}

/** A wallet after a change, and what moved by it, where something did. */
interface Changed {
  readonly wallet: Wallet;
  readonly moved?: Omit<CreditMoved, 'customer'>;
}

const viewOf = (wallet: Wallet, now: number): WalletView => {
  const currencies = [...new Set(wallet.credits.map(({ currency }) => currency))].sort();
  const isLive = ({ expiresAt }: { expiresAt: string | null }): boolean =>
    expiresAt === null || Date.parse(expiresAt) > now;
  return {
    balances: currencies.map((currency) => ({ currency, ...balanceOf(wallet, currency, now) })),
    credits: wallet.credits.filter(isLive),
    holds: wallet.holds.filter(isLive),
  };
};

export const createWalletService = (options: WalletServiceOptions): WalletService => {
  const { database, wallets, customers, settings, audit, makeEvent, newId } = options;

  const change = (
    actor: Actor,
    customer: string,
    action: string,
    work: (wallet: Wallet, now: number) => Changed,
  ): Promise<WalletView> =>
    againOnConflict(async () => {
      const { tenant } = actor;
      const [who, purse, { now }] = await Promise.all([
        customers.of(tenant).get(customer),
        wallets.of(tenant).get(customer),
        settings.contextOf(tenant),
      ]);
      if (who === undefined) throw notFound('customer');
      const before = purse?.value ?? emptyWallet;
      const { wallet: next, moved } = work(before, now);
      try {
        await database.transaction(async (transaction) => {
          writeOver(transaction, wallets.of(tenant), customer, next, purse);
          for (const event of expiryEvents(makeEvent, tenant, customer, before, now)) transaction.emit(event);
          if (moved !== undefined && moved.amount > 0) {
            transaction.emit(creditEvent(makeEvent, tenant, { customer, ...moved }));
          }
          await audit.record(transaction, actor, {
            action: `billing.wallet.${action}`,
            target: { type: 'billing-customer', id: customer },
            outcome: 'success',
          });
        });
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        throw new OmniError('revision-conflict', 'The wallet was changed meanwhile.', { cause: error });
      }
      return viewOf(next, now);
    });

  return {
    get: async ({ tenant }, customer) => {
      const [who, purse, { now }] = await Promise.all([
        customers.of(tenant).get(customer),
        wallets.of(tenant).get(customer),
        settings.contextOf(tenant),
      ]);
      if (who === undefined) throw notFound('customer');
      return viewOf(purse?.value ?? emptyWallet, now);
    },
    grant: (actor, customer, { amount: given, ...input }) => {
      const id = idsFor(actor, newId)('crd');
      return change(actor, customer, 'granted', (wallet, now) => {
        if (wallet.credits.some((credit) => credit.id === id)) return { wallet };
        if (input.expiresAt !== null && Date.parse(input.expiresAt) <= now) {
          throw badField('body.expiresAt', 'Must be later than now');
        }
        const credit = { id, amount: given, remaining: given, createdAt: isoTime(now), ...input };
        const { currency } = input;
        return {
          wallet: withCredit(wallet, credit, now),
          moved: { credit: id, what: 'granted', amount: given, currency },
        };
      });
    },
    hold: async (actor, customer, { seconds, ...input }) => {
      const id = idsFor(actor, newId)('hold');
      const view = await change(actor, customer, 'held', (wallet, now) => ({
        wallet: wallet.holds.some((hold) => hold.id === id)
          ? wallet
          : withHold(wallet, { id, ...input, expiresAt: isoTime(now + seconds * 1_000) }, now),
      }));
      return { ...view, id };
    },
    settle: (actor, customer, hold, used) =>
      change(actor, customer, 'settled', (wallet, now) => {
        const currency = wallet.holds.find(({ id }) => id === hold)?.currency ?? '';
        const { wallet: after, spent } = settleHold(wallet, hold, used, now);
        return { wallet: after, moved: { credit: hold, what: 'spent', amount: spent, currency } };
      }),
  };
};
