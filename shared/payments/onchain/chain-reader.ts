import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Chain, Hex } from './chains.ts';
import type { Block, ChainTransfer, EvmEndpoint, TransferQuery } from './evm-endpoint.ts';

export interface Heads {
  /** No block up to here will ever be another. */
  readonly finalized: Block;
  /** The newest that both know. */
  readonly latest: number;
}

/**
 * A chain through two nodes. What becomes money is believed only where both say the same. Fails with
 * `precondition-failed` where they do not, and with `rate-limited` and `unavailable`.
 */
export interface ChainReader {
  heads(): Promise<Heads>;
  block(number: number): Promise<Block>;
  /** Of blocks that are final. */
  transfers(query: TransferQuery): Promise<readonly ChainTransfer[]>;
  /** What both know of blocks that may yet be others. */
  seen(query: TransferQuery): Promise<readonly ChainTransfer[]>;
  /** Of a transaction that is final and succeeded; undefined where there is none yet. */
  transfersOf(transaction: Hex): Promise<readonly ChainTransfer[] | undefined>;
  /** By the newest block of the node that knows less. */
  balance(token: Hex, owner: Hex): Promise<bigint>;
}

export interface ChainReaderOptions {
  readonly clock: Clock;
  /** Seconds for one attempt, 10 where absent. */
  readonly timeout?: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

const disagree = (chain: Chain, what: string): OmniError =>
  new OmniError('precondition-failed', `The two endpoints of ${chain.name} do not agree on ${what}.`);

export const transferId = ({ transaction, logIndex }: Pick<ChainTransfer, 'transaction' | 'logIndex'>): string =>
  `${transaction}-${logIndex}`;

const textOf = (one: ChainTransfer): string =>
  [transferId(one), one.block, one.blockHash, one.token, one.from, one.to, one.units].join(' ');

const inOrder = (all: readonly ChainTransfer[]): readonly ChainTransfer[] =>
  all.toSorted((a, b) => a.block - b.block || a.logIndex - b.logIndex);

type Endpoints = readonly [EvmEndpoint, EvmEndpoint];

const open = async (chain: Chain, { clock, timeout = 10, wait }: ChainReaderOptions): Promise<Endpoints> => {
  const { evmEndpoint } = await import('./evm-endpoint.ts');
  const more = { chain, clock, timeout, ...(wait === undefined ? {} : { wait }) };
  const [first, second] = chain.endpoints;
  const endpoints: Endpoints = [evmEndpoint({ url: first, ...more }), evmEndpoint({ url: second, ...more })];
  // A token whose units are others than we think would be taken for a thousandth or a thousandfold.
  for (const { address, decimals, symbol } of chain.tokens) {
    const told = await Promise.all(endpoints.map((endpoint) => endpoint.decimals(address)));
    if (told.some((one) => one !== decimals)) throw disagree(chain, `the decimals of ${symbol}`);
  }
  return endpoints;
};

export const chainReader = (chain: Chain, options: ChainReaderOptions): ChainReader => {
  let opened: Promise<Endpoints> | undefined;
  const both = async <R>(ask: (endpoint: EvmEndpoint) => Promise<R>): Promise<readonly [R, R]> => {
    opened ??= open(chain, options);
    // A failure is not kept for the next caller.
    opened.catch(() => {
      opened = undefined;
    });
    const [first, second] = await opened;
    return Promise.all([ask(first), ask(second)]);
  };

  const block = async (number: number): Promise<Block> => {
    const [one, two] = await both((endpoint) => endpoint.block(number));
    if (one.hash !== two.hash || one.at !== two.at || one.number !== number) throw disagree(chain, `block ${number}`);
    return one;
  };

  const known = async (query: TransferQuery) => {
    if (query.from > query.to || query.recipients.length === 0) return [[], []] as const;
    return both((endpoint) => endpoint.transfers(query));
  };

  return {
    block,
    heads: async () => {
      const [finals, latest] = [
        await both((endpoint) => endpoint.block('finalized')),
        await both((endpoint) => endpoint.block('latest')),
      ];
      // What is final for one of them only has to wait, and is to be the same for the other.
      const finalized = await block(Math.min(...finals.map(({ number }) => number)));
      return { finalized, latest: Math.max(finalized.number, Math.min(...latest.map(({ number }) => number))) };
    },
    transfers: async (query) => {
      const [one, two] = await known(query);
      const texts = [one, two].map((all) => all.map(textOf).sort().join('\n'));
      if (texts[0] !== texts[1]) throw disagree(chain, `the transfers of the blocks ${query.from} to ${query.to}`);
      return inOrder(one);
    },
    seen: async (query) => {
      const [one, two] = await known(query);
      const others = new Set(two.map(textOf));
      return inOrder(one.filter((transfer) => others.has(textOf(transfer))));
    },
    transfersOf: async (transaction) => {
      const [finals, [one, two]] = await Promise.all([
        both((endpoint) => endpoint.block('finalized')),
        both((endpoint) => endpoint.transfersOf(transaction)),
      ]);
      if (one === undefined || two === undefined) return undefined;
      const texts = [one, two].map((all) => all.map(textOf).sort().join('\n'));
      if (texts[0] !== texts[1]) throw disagree(chain, 'a transaction');
      const final = Math.min(...finals.map(({ number }) => number));
      return one.every((transfer) => transfer.block <= final) ? one : undefined;
    },
    balance: async (token, owner) => {
      const [one, two] = await both((endpoint) => endpoint.balance(token, owner));
      return one < two ? one : two;
    },
  };
};
