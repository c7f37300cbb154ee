import type * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { money } from '../../kernel/money.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Filter, Stored } from '../../store/store.ts';
import { accountIdOf, type Mode } from '../accounts/gateway-account.schema.ts';
import type { Payments } from '../compose.ts';
import { inBook } from '../ledger/chart.ts';
import { gatewayAccounts } from '../payments/payment.facts.ts';
import { paymentInputSchema, type Refund, type RefundInput } from '../payments/payment.schema.ts';
import { decimalOf, unitsFor } from './amounts.ts';
import { scanId } from './chain-step.ts';
import type { Asset, Chain, Token } from './chains.ts';
import {
  type addressBalanceSchema,
  type addressViewSchema,
  type assetViewSchema,
  type CryptoPaymentInput,
  type CryptoPaymentView,
  type cryptoBalanceSchema,
  cryptoPaymentSchema,
  type quoteInputSchema,
  type quoteViewSchema,
} from './crypto.schema.ts';
import { invoiceChanger } from './invoice-changer.ts';
import type { OnchainInvoice } from './onchain.schema.ts';
import { invoiceId, missingOf, paymentOf, receiptsOf } from './onchain.state.ts';
import type { Onchain } from './onchain.ts';

export interface CryptoQuery extends PageRequest {
  readonly mode?: Mode | undefined;
  readonly undecided?: boolean | undefined;
}

/** Payments that come on a chain. Whatever moves money goes through the payments service and the ledger. */
export interface CryptoService {
  assets(mode: Mode | undefined): readonly z.infer<typeof assetViewSchema>[];
  /** What an amount is now. Nothing is kept. Fails with `invalid-request` for an asset that is not there. */
  quote(input: z.infer<typeof quoteInputSchema>): Promise<z.infer<typeof quoteViewSchema>>;
  /** As the payments service does, at the tenant's wallet. */
  create(actor: Actor, input: CryptoPaymentInput): Promise<CryptoPaymentView>;
  /** Fails with `not-found`. */
  get(actor: Actor, payment: string): Promise<CryptoPaymentView>;
  /** The newest first. */
  list(actor: Actor, query: CryptoQuery): Promise<Page<CryptoPaymentView>>;
  cancel(actor: Actor, payment: string): Promise<CryptoPaymentView>;
  /** Takes everything that is held as the payment. Fails with `precondition-failed` where nothing is. */
  accept(actor: Actor, payment: string): Promise<CryptoPaymentView>;
  /** Shows the transaction that sent a receipt back, which is looked at on the chain. */
  giveBack(actor: Actor, payment: string, receipt: string, transaction: `0x${string}`): Promise<CryptoPaymentView>;
  refund(actor: Actor, payment: string, input: RefundInput): Promise<Refund>;
  /** Shows the transaction that paid a refund. */
  settle(actor: Actor, payment: string, refund: string, transaction: `0x${string}`): Promise<CryptoPaymentView>;
  addresses(actor: Actor, page: PageRequest): Promise<Page<z.infer<typeof addressViewSchema>>>;
  /** What is at a payment's address now, as its chain says. */
  addressBalance(actor: Actor, payment: string): Promise<z.infer<typeof addressBalanceSchema>>;
  /** What the books say of what came. */
  balance(actor: Actor, currency: string, mode: Mode): Promise<z.infer<typeof cryptoBalanceSchema>>;
}

export interface CryptoServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly onchain: Onchain;
  readonly payments: Pick<Payments, 'paymentService' | 'gatewayAccounts' | 'sync' | 'ledger'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

const noSuch = () => new OmniError('not-found', 'There is no such payment on a chain.');
const modeOf = ({ livemode }: Pick<OnchainInvoice, 'livemode'>): Mode => (livemode ? 'live' : 'test');

const viewOf = (invoice: OnchainInvoice, latest: number | undefined, now: number): CryptoPaymentView => {
  const { payment: id, chain, token, decimals } = invoice;
  const { status, captured } = paymentOf(invoiceId(id), invoice, now);
  const confirmations = (block: number): number | null =>
    latest === undefined ? null : Math.max(0, latest - block + 1);
  const shown = (all: readonly Omit<OnchainInvoice['seen'][number], never>[], final: boolean) =>
    all.map((transfer) => ({ ...transfer, final, confirmations: confirmations(transfer.block) }));
  return cryptoPaymentSchema.parse({
    ...invoice,
    id,
    status,
    mode: modeOf(invoice),
    asset: `${token}-${chain}`,
    decimal: decimalOf(BigInt(invoice.units), decimals),
    missing: missingOf(invoice).toString(),
    captured: captured.amount,
    transfers: [...shown(invoice.transfers, true), ...shown(invoice.seen, false)],
    unvalued: invoice.transfers.filter(({ kind, value }) => kind !== 'in-time' && value === null).length,
    receipts: receiptsOf(invoice).map(({ reference, amount, units, ...receipt }) => ({
      ...receipt,
      id: reference,
      amount: amount.amount,
      units: units.toString(),
    })),
    refunds: invoice.refunds.map((refund) => ({ ...refund, decimal: decimalOf(BigInt(refund.units), decimals) })),
  });
};

const assetView = ({ id, chain, token }: Asset): z.infer<typeof assetViewSchema> => ({
  id,
  chain: chain.name,
  chainId: chain.chainId,
  token: token.symbol,
  contract: token.address,
  decimals: token.decimals,
  currency: token.currency,
  mode: chain.mode,
});

type Find = (tenant: string, payment: string) => Promise<Stored<OnchainInvoice>>;

/** What transactions prove that people show. */
const transactionProofs = ({ database, onchain, audit, clock }: CryptoServiceOptions, find: Find) => {
  const chainOf = ({ chain, token }: OnchainInvoice): { chain: Chain; token: Token } => {
    const found = onchain.chains.find(({ name }) => name === chain);
    const known = found?.tokens.find(({ symbol }) => symbol === token);
    if (found === undefined || known === undefined) throw new OmniError('unavailable', 'This chain is not read here.');
    return { chain: found, token: known };
  };

  /** Fails unless a final transaction moves so much of a token to somebody else. */
  const requireSent = async (invoice: OnchainInvoice, transaction: `0x${string}`, symbol: string, units: bigint) => {
    const { chain, token } = chainOf({ ...invoice, token: symbol });
    const transfers = await onchain.reader(chain).transfersOf(transaction);
    const isSent = transfers?.some(
      (one) =>
        one.token.toLowerCase() === token.address.toLowerCase() && one.units >= units && one.to !== invoice.address,
    );
    if (isSent !== true) {
      throw new OmniError('precondition-failed', 'No final transaction of that hash sends so much of this token.');
    }
  };

  interface Proof {
    readonly action: string;
    readonly transaction: `0x${string}`;
    readonly change: (invoice: OnchainInvoice) => OnchainInvoice | undefined;
  }

  /** Writes what a transaction proves. One transaction proves one thing. */
  const prove = async (actor: Actor, payment: string, { action, transaction: hash, change }: Proof): Promise<void> => {
    const { tenant } = actor;
    const { changedBy } = invoiceChanger(onchain.invoices.of(tenant), { clock });
    const id = invoiceId(payment);
    const { value } = await find(tenant, payment);
    try {
      await changedBy(id, change, (write) =>
        database.transaction(async (transaction) => {
          transaction.reserve(tenant, 'onchain-transaction', `${value.chain}:${hash}`, id);
          write(transaction);
          const target = { type: 'payment', id: payment };
          await audit.record(transaction, actor, { action, target, outcome: 'success' });
        }),
      );
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
      throw new OmniError('precondition-failed', 'This transaction was shown for something else.', { cause: error });
    }
  };

  return { chainOf, requireSent, prove };
};

export const createCryptoService = (options: CryptoServiceOptions): CryptoService => {
  const { database, onchain, payments, audit, clock } = options;
  const { paymentService, gatewayAccounts: accounts, sync, ledger } = payments;

  const find = async (tenant: string, payment: string): Promise<Stored<OnchainInvoice>> => {
    const stored = await onchain.invoices.of(tenant).get(invoiceId(payment));
    if (stored === undefined) throw noSuch();
    return stored;
  };
  const latestOf = async (chains: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    const names = [...new Set(chains)];
    const scans = await onchain.scans.getMany(names.map((name) => scanId(name, 'open')));
    return new Map(
      names.flatMap((name, i) => [[name, scans[i]?.value.latest ?? -1] as const]).filter(([, at]) => at >= 0),
    );
  };
  const get: CryptoService['get'] = async ({ tenant }, payment) => {
    const { value } = await find(tenant, payment);
    return viewOf(value, (await latestOf([value.chain])).get(value.chain), clock.now());
  };
  /** Takes what changed in the invoice over into the payment and its books. */
  const refreshed = async (actor: Actor, payment: string): Promise<CryptoPaymentView> => {
    await sync.refresh(actor.tenant, payment, (work) => database.transaction(work));
    return get(actor, payment);
  };

  const { chainOf, prove, requireSent } = transactionProofs(options, find);

  const inBooks = async (actor: Actor, account: string): Promise<number> => {
    try {
      return await ledger.balance(actor, account);
    } catch (error) {
      if (isOmniError(error, 'not-found')) return 0;
      throw error;
    }
  };

  return {
    assets: (mode) =>
      (mode === undefined ? (['live', 'test'] as const) : [mode]).flatMap(onchain.assets).map(assetView),
    quote: async ({ amount, currency, asset: wanted }) => {
      const asset = [...onchain.assets('live'), ...onchain.assets('test')].find(({ id }) => id === wanted);
      if (asset === undefined) throw new OmniError('invalid-request', 'This asset can not be paid with here.');
      const rate = await onchain.rates.rate(asset.token, currency);
      const { decimals } = asset.token;
      const units = unitsFor(money(amount, currency), { price: rate.price, decimals });
      return { asset: wanted, amount, currency, units: units.toString(), decimal: decimalOf(units, decimals), rate };
    },
    create: async (actor, { asset, ...input }) => {
      const source = { gateway: 'onchain', ...(asset === undefined ? {} : { paymentMethod: asset }) };
      const { id } = await paymentService.create(actor, paymentInputSchema.parse({ ...input, sources: [source] }));
      try {
        return await get(actor, id);
      } catch (error) {
        if (!isOmniError(error, 'not-found')) throw error;
        throw new OmniError('precondition-failed', 'It can not be paid with this asset.', { cause: error });
      }
    },
    get,
    list: async ({ tenant }, { mode, undecided, limit, cursor }) => {
      const where: Filter[] = [];
      if (mode !== undefined) where.push({ field: 'livemode', op: '==', value: mode === 'live' });
      if (undecided !== undefined) where.push({ field: 'undecided', op: '==', value: undecided });
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await onchain.invoices.of(tenant).query({ where, orderBy, limit, cursor });
      const latest = await latestOf(page.items.map(({ value }) => value.chain));
      const now = clock.now();
      return { ...page, items: page.items.map(({ value }) => viewOf(value, latest.get(value.chain), now)) };
    },
    cancel: async (actor, payment) => {
      await find(actor.tenant, payment);
      await paymentService.cancel(actor, payment);
      return get(actor, payment);
    },
    accept: async (actor, payment) => {
      const { id, value } = await find(actor.tenant, payment);
      const { gateway } = await accounts.open(actor.tenant, accountIdOf('onchain', modeOf(value)));
      if (gateway.accept === undefined) throw noSuch();
      await gateway.accept(id, `${payment}:accept`);
      const target = { type: 'payment', id: payment };
      await database.transaction((transaction) =>
        audit.record(transaction, actor, { action: 'payments.receipt.accepted', target, outcome: 'success' }),
      );
      return refreshed(actor, payment);
    },
    giveBack: async (actor, payment, receipt, transaction) => {
      const { value } = await find(actor.tenant, payment);
      const held = receiptsOf(value).find(({ reference }) => reference === receipt);
      if (held === undefined) throw new OmniError('not-found', 'There is no such receipt.');
      await requireSent(value, transaction, held.token, held.units);
      const at = isoTime(clock.now());
      const change = (invoice: OnchainInvoice): OnchainInvoice | undefined => {
        const before = invoice.decisions.find((one) => one.receipt === receipt);
        if (before?.transaction === transaction) return undefined;
        if (before !== undefined) throw new OmniError('precondition-failed', 'That is decided already.');
        return { ...invoice, decisions: [...invoice.decisions, { receipt, what: 'returned', transaction, at }] };
      };
      await prove(actor, payment, { action: 'payments.receipt.returned', transaction, change });
      return refreshed(actor, payment);
    },
    refund: async (actor, payment, input) => {
      await find(actor.tenant, payment);
      return paymentService.refund(actor, payment, input);
    },
    settle: async (actor, payment, refund, transaction) => {
      const { value } = await find(actor.tenant, payment);
      const owed = value.refunds.find(({ id }) => id === refund);
      if (owed === undefined) throw new OmniError('not-found', 'There is no such refund.');
      await requireSent(value, transaction, value.token, BigInt(owed.units));
      const change = (invoice: OnchainInvoice): OnchainInvoice | undefined => {
        const before = invoice.refunds.find(({ id }) => id === refund)?.transaction ?? null;
        if (before === transaction) return undefined;
        if (before !== null) throw new OmniError('precondition-failed', 'It is paid already.');
        return {
          ...invoice,
          refunds: invoice.refunds.map((one) => (one.id === refund ? { ...one, transaction } : one)),
        };
      };
      await prove(actor, payment, { action: 'payments.refund.settled', transaction, change });
      return refreshed(actor, payment);
    },
    addresses: async ({ tenant }, { limit, cursor }) => {
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await onchain.addresses.of(tenant).query({ orderBy, limit, cursor });
      return { ...page, items: page.items.map(({ value }) => value) };
    },
    addressBalance: async ({ tenant }, payment) => {
      const { value } = await find(tenant, payment);
      const { chain } = chainOf(value);
      const items = await Promise.all(
        chain.tokens.map(async ({ symbol, address, decimals }) => {
          const units = await onchain.reader(chain).balance(address, value.address);
          return { token: symbol, units: units.toString(), decimal: decimalOf(units, decimals) };
        }),
      );
      return { address: value.address, items };
    },
    balance: async (actor, currency, mode) => {
      const { pending, surplus, undecided } = gatewayAccounts('onchain');
      const [received, ofSurplus, ofUndecided] = await Promise.all(
        [pending, surplus, undecided].map((name) => inBooks(actor, `${inBook(mode, name)}@${currency}`)),
      );
      return { mode, currency, received: received ?? 0, surplus: ofSurplus ?? 0, undecided: ofUndecided ?? 0 };
    },
  };
};
