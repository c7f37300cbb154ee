import type { Clock } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Store, Stored, Transaction } from '../../store/store.ts';
import type { OnchainInvoice } from './onchain.schema.ts';
import { withDecisions } from './onchain.state.ts';

const maxRounds = 8;

/** Changes to invoices that people ask for, while jobs change them too. */
export const invoiceChanger = (
  invoices: Store<OnchainInvoice>,
  { livemode, clock }: { readonly livemode?: boolean; readonly clock: Clock },
) => {
  /** Fails with `not-found`, also for an invoice of the other mode. */
  const find = async (id: string): Promise<Stored<OnchainInvoice>> => {
    const stored = await invoices.get(id);
    if (stored === undefined || (livemode !== undefined && stored.value.livemode !== livemode)) {
      throw new OmniError('not-found', 'There is no such invoice.');
    }
    return stored;
  };

  type Change = (invoice: OnchainInvoice) => OnchainInvoice | undefined;

  /** `commit` writes the invoice, and what belongs to it, in one transaction. */
  const changedBy = async (
    id: string,
    change: Change,
    commit: (write: (transaction: Transaction) => void) => Promise<void>,
  ): Promise<Stored<OnchainInvoice>> => {
    for (let round = 1; ; round += 1) {
      const stored = await find(id);
      const { revision } = stored;
      const next = change(stored.value);
      if (next === undefined) return stored;
      const value = withDecisions(next, clock.now());
      try {
        await commit((transaction) => transaction.update(invoices, id, value, { revision }));
        return { id, revision, value };
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict') || round === maxRounds) throw error;
      }
    }
  };

  /** Changes the invoice as it is once nobody else does. `change` returns undefined where there is nothing to do. */
  const changed = async (id: string, change: Change): Promise<Stored<OnchainInvoice>> => {
    for (let round = 1; ; round += 1) {
      const stored = await find(id);
      const next = change(stored.value);
      if (next === undefined) return stored;
      try {
        return await invoices.update(id, withDecisions(next, clock.now()), { revision: stored.revision });
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict') || round === maxRounds) throw error;
      }
    }
  };

  return { find, changed, changedBy };
};
