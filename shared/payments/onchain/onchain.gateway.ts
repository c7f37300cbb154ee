import { type Clock, isoTime } from '../../kernel/clock.ts';
import { currencyCodes } from '../../kernel/currencies.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { money } from '../../kernel/money.ts';
import type { Store, Stored, TenantStore } from '../../store/store.ts';
import type { CreatePayment, Gateway, GatewayCapabilities, GatewayPayment } from '../gateways/gateway.ts';
import type { AddressBook } from './address-book.ts';
import { unitsFor } from './amounts.ts';
import type { Asset } from './chains.ts';
import { openWallet, type Wallet } from './derivation.ts';
import { invoiceChanger } from './invoice-changer.ts';
import type { OnchainInvoice, OnchainWallet, OnchainWatch } from './onchain.schema.ts';
import { deadlineOf, invoiceId, lateFor, paymentOf, receiptsOf } from './onchain.state.ts';
import type { Rates } from './rates.ts';

export interface OnchainGatewayOptions {
  readonly tenant: string;
  /** Of the tenant's wallet. */
  readonly xpub: string;
  /** The first index that is free in it, where it was used before. */
  readonly firstIndex: number;
  readonly livemode: boolean;
  /** What can be paid with in this mode. */
  readonly assets: readonly Asset[];
  /** Taken where a payment names none; the first where absent. */
  readonly preferred?: string | undefined;
  readonly invoices: TenantStore<OnchainInvoice>;
  readonly watches: Store<OnchainWatch>;
  readonly wallets: Store<OnchainWallet>;
  readonly addresses: AddressBook;
  readonly rates: Rates;
  readonly clock: Clock;
}

/** Milliseconds for which the rate is locked. */
const lockedFor = 30 * 60_000;

/** What has no market at all is left out. For what is not traded against a stablecoin there is no rate, and no payment. */
const currencies: ReadonlySet<string> = new Set(currencyCodes.filter((code) => code !== 'KPW'));

export const onchainCapabilities: GatewayCapabilities = {
  currencies,
  minorDigits: new Map(),
  manualCapture: false,
  partialCapture: false,
  partialRefund: true,
  // The invoice is in our own store.
  idempotentFor: Number.MAX_SAFE_INTEGER,
  lookupByOwnReference: true,
  refundsByOwnReference: true,
};

const noHolding = () => new OmniError('precondition-failed', 'Nothing can be held on a chain.');

/** Makes invoices, each with an address of its own. */
const invoiceMaker = (options: OnchainGatewayOptions, wallet: () => Promise<Wallet>) => {
  const { tenant, livemode, assets, preferred, watches, addresses, rates, clock } = options;
  const invoices = options.invoices.of(tenant);

  const assetOf = (wanted: string | undefined): Asset => {
    const name = wanted ?? preferred;
    const asset = name === undefined ? assets[0] : assets.find(({ id }) => id === name);
    if (asset === undefined) throw new OmniError('invalid-request', 'This asset can not be paid with here.');
    return asset;
  };

  const draftOf = async (request: CreatePayment): Promise<Omit<OnchainInvoice, 'index' | 'path' | 'address'>> => {
    const { payment, amount, paymentMethod } = request;
    const { chain, token } = assetOf(paymentMethod);
    const rate = await rates.rate(token, amount.currency);
    const now = clock.now();
    return {
      payment,
      livemode,
      chain: chain.name,
      token: token.symbol,
      decimals: token.decimals,
      wallet: (await wallet()).id,
      ...amount,
      units: unitsFor(amount, { price: rate.price, decimals: token.decimals }).toString(),
      rate,
      createdAt: isoTime(now),
      expiresAt: isoTime(now + lockedFor),
      canceledAt: null,
      closedAt: null,
      updatedAt: isoTime(now),
      transfers: [],
      seen: [],
      uncounted: 0,
      refunds: [],
      decisions: [],
      undecided: false,
    };
  };

  const make = async (request: CreatePayment): Promise<void> => {
    const draft = await draftOf(request);
    const id = invoiceId(request.payment);
    const deadline = deadlineOf(draft);
    await addresses.allot({
      tenant,
      wallet: await wallet(),
      first: options.firstIndex,
      payment: request.payment,
      isMade: async () => (await invoices.get(id)) !== undefined,
      work: (transaction, { index, path, address }) => {
        transaction.create(invoices, id, { ...draft, index, path, address });
        transaction.create(watches, `${draft.chain}~${address}`, {
          tenant,
          scan: `${draft.chain}~open`,
          invoice: id,
          address,
          deadline: isoTime(deadline),
          until: isoTime(deadline + lateFor),
          seen: '',
        });
      },
    });
  };

  return { assetOf, make };
};

/**
 * Stablecoins on a chain, to an address of the tenant's own wallet. Nothing is asked of anybody but a price: invoices are
 * ours, and what comes is found by the jobs that read the chains. A refund is paid from the tenant's wallet, whose private
 * key nobody here has; it is `pending` until a transaction that pays it is shown.
 */
export const onchainGateway = (options: OnchainGatewayOptions): Gateway => {
  const { tenant, xpub, livemode, assets, wallets, clock } = options;
  const invoices = options.invoices.of(tenant);
  let opened: ReturnType<typeof openWallet> | undefined;
  const wallet = () => {
    opened ??= openWallet(xpub);
    return opened;
  };

  const { find, changed } = invoiceChanger(invoices, { livemode, clock });
  const viewOf = ({ id, value }: Pick<Stored<OnchainInvoice>, 'id' | 'value'>): GatewayPayment =>
    paymentOf(id, value, clock.now());
  const orUndefined = async (id: string): Promise<GatewayPayment | undefined> => {
    try {
      return viewOf(await find(id));
    } catch (error) {
      if (isOmniError(error, 'not-found')) return undefined;
      throw error;
    }
  };

  const { assetOf, make } = invoiceMaker(options, wallet);

  return {
    name: 'onchain',
    livemode,
    capabilities: onchainCapabilities,
    create: async (request) => {
      if (request.capture === 'manual') throw noHolding();
      if (!currencies.has(request.amount.currency)) {
        throw new OmniError('invalid-request', `There is no rate for ${request.amount.currency}.`);
      }
      const id = invoiceId(request.payment);
      const before = await orUndefined(id);
      if (before !== undefined) return before;
      try {
        await make(request);
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
      }
      return viewOf(await find(id));
    },
    confirm: async (reference) => viewOf(await find(reference)),
    capture: () => Promise.reject(noHolding()),
    cancel: async (reference) =>
      viewOf(
        await changed(reference, (invoice) => {
          const { status } = paymentOf(reference, invoice, clock.now());
          if (status === 'canceled') return undefined;
          if (status !== 'requires-action' || invoice.seen.length > 0 || invoice.transfers.length > 0) {
            throw new OmniError('precondition-failed', 'Something was paid already, or the time is over.');
          }
          return { ...invoice, canceledAt: isoTime(clock.now()) };
        }),
      ),
    refund: async (reference, { refund, amount }) => {
      const stored = await changed(reference, (invoice) => {
        if (invoice.refunds.some(({ id }) => id === refund)) return undefined;
        const { captured } = paymentOf(reference, invoice, clock.now());
        const left = invoice.refunds.reduce((rest, one) => rest - one.amount, captured.amount);
        if (amount.currency !== invoice.currency || amount.amount <= 0 || amount.amount > left) {
          throw new OmniError('precondition-failed', 'That much was not captured, or is refunded already.');
        }
        const { decimals, rate } = invoice;
        const units = unitsFor(amount, { price: rate.price, decimals }).toString();
        return {
          ...invoice,
          refunds: [...invoice.refunds, { id: refund, amount: amount.amount, units, transaction: null }],
        };
      });
      const made = viewOf(stored).refunds.find((one) => one.refund === refund);
      return made ?? { reference: refund, refund, amount: money(amount.amount, amount.currency), status: 'pending' };
    },
    accept: async (reference) =>
      viewOf(
        await changed(reference, (invoice) => {
          const held = receiptsOf(invoice).filter(({ status }) => status === 'held');
          if (held.length === 0 && invoice.decisions.some(({ what }) => what === 'accepted')) return undefined;
          if (held.length === 0) throw new OmniError('precondition-failed', 'Nothing waits for a decision.');
          const at = isoTime(clock.now());
          const decisions = held.map(({ reference: receipt }) => ({
            receipt,
            what: 'accepted' as const,
            transaction: null,
            at,
          }));
          return { ...invoice, decisions: [...invoice.decisions, ...decisions] };
        }),
      ),
    retrieve: orUndefined,
    find: (payment) => orUndefined(invoiceId(payment)),
    account: async () => {
      if (assets.length === 0) {
        throw new OmniError('precondition-failed', 'This deployment reads no chain of this mode.');
      }
      assetOf(undefined);
      const { id } = await wallet();
      try {
        await wallets.create(id, { tenant, claimedAt: isoTime(clock.now()) });
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        if ((await wallets.get(id))?.value.tenant !== tenant) {
          throw new OmniError('already-exists', 'Another tenant receives by this key.', { cause: error });
        }
      }
      return { id, livemode };
    },
    status: () => ({ healthy: assets.length > 0, latencyMs: 0 }),
    // There are no webhooks of a chain.
    actionOf: (type, { invoice }) =>
      type === 'onchain.invoice.changed' && typeof invoice === 'string'
        ? { kind: 'refresh-payment', reference: invoice }
        : { kind: 'ignore' },
  };
};
