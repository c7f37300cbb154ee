import { newId } from '#shared/kernel/ids.ts';
import type { Gateway } from '#shared/payments/gateways/gateway.ts';
import type { ChainReader } from '#shared/payments/onchain/chain-reader.ts';
import type { Driver, Write } from '#shared/store/driver.ts';

const isOfBooks = ({ key }: Write): boolean => /ledger(Entries|Balances)$/.test(key.collection);

/**
 * A bug: the books are written before the payment and not with it, under ids that are no natural keys. A worker that dies in
 * between books twice.
 */
export const bookedApart = (driver: Driver): Driver => ({
  ...driver,
  transaction: (work) =>
    driver.transaction(async (reader) => {
      const { result, writes } = await work(reader);
      const books = writes.filter(isOfBooks);
      if (books.length === 0) return { result, writes };
      await driver.commit(
        books.map((write) =>
          write.kind === 'create' ? { ...write, key: { ...write.key, id: `${write.key.id}~${newId('x')}` } } : write,
        ),
      );
      return { result, writes: writes.filter((write) => !isOfBooks(write)) };
    }),
});

/** A bug: of refunds and disputes only the last is looked at, as who reads events one by one does. */
export const lastOneOnly = (gateway: Gateway): Gateway => ({
  ...gateway,
  retrieve: async (reference) => {
    const remote = await gateway.retrieve(reference);
    return remote && { ...remote, refunds: remote.refunds.slice(-1), disputes: remote.disputes.slice(-1) };
  },
});

/** A bug: money is changed as it comes in, and what is given back is taken to be in the currency that it came in. */
export const changedOnceOnly = (gateway: Gateway): Gateway => ({
  ...gateway,
  retrieve: async (reference) => {
    const remote = await gateway.retrieve(reference);
    return remote && { ...remote, settlements: remote.settlements?.filter(({ of }) => of.amount > 0) };
  },
});

/** A bug: a refund that failed was never changed. That it had been before is forgotten. */
export const withoutFailedChanges = (gateway: Gateway): Gateway => ({
  ...gateway,
  retrieve: async (reference) => {
    const remote = await gateway.retrieve(reference);
    const failed = remote?.refunds.filter(({ status }) => status === 'failed').map((refund) => refund.reference) ?? [];
    const isOf = (settlement: string): boolean => failed.some((one) => settlement.startsWith(one));
    return remote && { ...remote, settlements: remote.settlements?.filter((one) => !isOf(one.reference)) };
  },
});

/** A bug: an answer is kept for the next time, and what came meanwhile is not seen. */
export const answeredFromMemory = (gateway: Gateway): Gateway => {
  const known = new Map<string, Awaited<ReturnType<Gateway['retrieve']>>>();
  return {
    ...gateway,
    retrieve: async (reference) => {
      const earlier = known.get(reference);
      const now = await gateway.retrieve(reference);
      known.set(reference, now);
      return earlier ?? now;
    },
  };
};

/** A bug: the newest block is taken for final, and what came in it for money. */
export const believedTooSoon = (reader: ChainReader): ChainReader => ({
  ...reader,
  heads: async () => {
    const { latest } = await reader.heads();
    return { latest, finalized: await reader.block(latest) };
  },
});

/** A bug: a range begins one block too late. */
export const beganTooLate = (reader: ChainReader): ChainReader => ({
  ...reader,
  transfers: async (query) => (query.from >= query.to ? [] : reader.transfers({ ...query, from: query.from + 1 })),
});
