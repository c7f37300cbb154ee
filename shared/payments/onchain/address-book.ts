import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, TenantStore, Transaction } from '../../store/store.ts';
import type { Hex } from './chains.ts';
import type { Wallet } from './derivation.ts';
import type { OnchainAddress } from './onchain.schema.ts';

export interface Allotted {
  readonly index: number;
  readonly path: string;
  readonly address: Hex;
}

export interface AddressBook {
  /**
   * Gives a payment the next address of a wallet, and commits it together with what `work` writes. No address is ever
   * given twice: its index is a document that only one can create. Fails with `already-exists` where `isMade` says that
   * what `work` makes is there, by whoever was faster.
   */
  allot(request: AllotRequest): Promise<void>;
}

export interface AllotRequest {
  readonly tenant: string;
  readonly wallet: Wallet;
  /** Indexes below were used before. */
  readonly first: number;
  readonly payment: string;
  readonly work: (transaction: Transaction, allotted: Allotted) => void;
  readonly isMade: () => Promise<boolean>;
}

export interface AddressBookOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly addresses: TenantStore<OnchainAddress>;
  readonly clock: Clock;
}

const maxTries = 60;
const maxWallets = 5_000;

/**
 * A counter would be one document that every payment writes. Instead each instance tries the index after the last that
 * it knows of; where another instance has it, it looks again for the highest one.
 */
export const createAddressBook = ({ database, addresses, clock }: AddressBookOptions): AddressBook => {
  /** The next index by wallet, as far as this instance knows. */
  const next = new Map<string, number>();

  const highest = async (tenant: string, wallet: string, first: number): Promise<number> => {
    const { items } = await addresses.of(tenant).query({
      where: [{ field: 'wallet', op: '==', value: wallet }],
      orderBy: { field: 'index', order: 'desc' },
      limit: 1,
    });
    return Math.max(first, items[0] === undefined ? 0 : items[0].value.index + 1);
  };

  const look = async (tenant: string, wallet: string, first: number): Promise<void> => {
    const found = await highest(tenant, wallet, first);
    if (next.size >= maxWallets) next.clear();
    next.set(wallet, Math.max(found, next.get(wallet) ?? 0));
  };

  /** Two callers of this instance never get the same. */
  const take = (wallet: string): number => {
    const index = next.get(wallet) ?? 0;
    next.set(wallet, index + 1);
    return index;
  };

  /** So that wallets, which stop to look after some unused addresses, see no gap. */
  const giveBack = (wallet: string, index: number): void => {
    if (next.get(wallet) === index + 1) next.set(wallet, index);
  };

  return {
    allot: async ({ tenant, wallet, first, payment, work, isMade }) => {
      if (!next.has(wallet.id)) await look(tenant, wallet.id, first);
      for (let round = 0; round < maxTries; round += 1) {
        const index = take(wallet.id);
        const allotted = { index, path: wallet.path(index), address: wallet.address(index) };
        const taken = { ...allotted, wallet: wallet.id, payment, createdAt: isoTime(clock.now()) };
        try {
          await database.transaction((transaction) => {
            transaction.create(addresses.of(tenant), `${wallet.id}~${index}`, taken);
            work(transaction, allotted);
          });
          return;
        } catch (error) {
          if (!isOmniError(error, 'already-exists')) throw error;
          if (await isMade()) {
            giveBack(wallet.id, index);
            throw error;
          }
          await look(tenant, wallet.id, first);
        }
      }
      throw new OmniError('unavailable', 'Too many payments want an address of this wallet at once.');
    },
  };
};
