import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Database } from '../../store/store.ts';
import type { Credentials, Mode } from '../accounts/gateway-account.schema.ts';
import type { Gateway } from '../gateways/gateway.ts';
import { createAddressBook } from './address-book.ts';
import { type ChainReader, chainReader } from './chain-reader.ts';
import { type Asset, assetsOf, type Chain } from './chains.ts';
import { onchainGateway } from './onchain.gateway.ts';
import {
  onchainAddressCollection,
  onchainInvoiceCollection,
  onchainScanCollection,
  onchainWalletCollection,
  onchainWatchCollection,
} from './onchain.schema.ts';
import type { Rates } from './rates.ts';

export interface OnchainOptions {
  readonly database: Database;
  readonly chains: readonly Chain[];
  readonly rates: Rates;
  readonly clock: Clock;
  /** Opens a chain's two nodes; as `chainReader` does where absent. */
  readonly openReader?: (chain: Chain) => ChainReader;
}

const refuse = (field: string, message: string): OmniError =>
  new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: `body.credentials.${field}`, message }],
  });

/** Everything that receives payments on chains. */
export const createOnchain = ({ database, chains, rates, clock, openReader }: OnchainOptions) => {
  const invoices = database.tenants(onchainInvoiceCollection);
  const addresses = database.tenants(onchainAddressCollection);
  const watches = database.platform(onchainWatchCollection);
  const wallets = database.platform(onchainWalletCollection);
  const addressBook = createAddressBook({ database, addresses, clock });
  const readers = new Map<string, ChainReader>();
  const open = openReader ?? ((chain: Chain) => chainReader(chain, { clock }));

  const reader = (chain: Chain): ChainReader => {
    const known = readers.get(chain.name) ?? open(chain);
    readers.set(chain.name, known);
    return known;
  };

  interface Opening {
    readonly credentials: Credentials;
    readonly livemode: boolean;
    readonly tenant: string;
  }

  /** `{"xpub": "…"}`, with `asset` (`USDC-base`) and `firstIndex` where they are wanted. */
  const gateway = ({ credentials, livemode, tenant }: Opening): Gateway => {
    const { xpub, asset, firstIndex = '0' } = credentials;
    if (xpub === undefined) throw refuse('xpub', 'Is needed by this gateway');
    if (!/^\d{1,7}$/.test(firstIndex)) throw refuse('firstIndex', 'Must be an index below 10,000,000');
    const assets = assetsOf(chains, livemode ? 'live' : 'test');
    if (asset !== undefined && !assets.some(({ id }) => id === asset)) {
      throw refuse('asset', `Must be one of: ${assets.map(({ id }) => id).join(', ')}`);
    }
    const options = { tenant, xpub, firstIndex: Number(firstIndex), livemode, assets, preferred: asset };
    return onchainGateway({ ...options, invoices, watches, wallets, addresses: addressBook, rates, clock });
  };

  return {
    chains,
    rates,
    invoices,
    addresses,
    watches,
    scans: database.platform(onchainScanCollection),
    reader,
    gateway,
    assets: (mode: Mode): readonly Asset[] => assetsOf(chains, mode),
  };
};
export type Onchain = ReturnType<typeof createOnchain>;
