import {
  createPublicClient,
  getAddress,
  HttpRequestError,
  http,
  parseAbi,
  parseEventLogs,
  RpcError,
  RpcRequestError,
  TransactionReceiptNotFoundError,
} from 'viem';
import type { Clock } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { outsideSystem } from '../../kernel/outside-system.ts';
import type { Chain, Hex, Token } from './chains.ts';

export interface EndpointOptions {
  readonly url: string;
  readonly chain: Pick<Chain, 'chainId' | 'name'>;
  readonly clock: Clock;
  /** Seconds for one attempt. */
  readonly timeout: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

export interface Block {
  readonly number: number;
  readonly hash: Hex;
  /** When it was made; milliseconds since the Unix epoch. */
  readonly at: number;
}

/** One log of an ERC-20 token's `Transfer`. */
export interface ChainTransfer {
  readonly transaction: Hex;
  readonly logIndex: number;
  readonly block: number;
  readonly blockHash: Hex;
  /** The token's contract. */
  readonly token: Hex;
  readonly from: Hex;
  readonly to: Hex;
  readonly units: bigint;
}

export interface TransferQuery {
  /** Both belong to it. */
  readonly from: number;
  readonly to: number;
  readonly tokens: readonly Token[];
  readonly recipients: readonly Hex[];
}

/** A node of a chain. Fails with `rate-limited` and `unavailable`. */
export interface EvmEndpoint {
  block(at: 'finalized' | 'latest' | number): Promise<Block>;
  transfers(query: TransferQuery): Promise<readonly ChainTransfer[]>;
  /** Of a transaction that succeeded; undefined where there is none. */
  transfersOf(transaction: Hex): Promise<readonly ChainTransfer[] | undefined>;
  decimals(token: Hex): Promise<number>;
  balance(token: Hex, owner: Hex): Promise<bigint>;
}

const abi = parseAbi([
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'function decimals() view returns (uint8)',
  'function balanceOf(address owner) view returns (uint256)',
]);
const [transferEvent] = abi;

/** How nodes say that a range has too much in it: they agree neither on a code nor on words. */
const isTooMuch = (error: unknown): boolean => error instanceof OmniError && error.code === 'payload-too-large';

const find = <T>(error: unknown, isIt: (one: unknown) => one is T): T | undefined => {
  for (let one: unknown = error, depth = 0; one instanceof Error && depth < 10; one = one.cause, depth += 1) {
    if (isIt(one)) return one;
  }
  return undefined;
};

const refusalOf = (name: string, error: unknown): OmniError => {
  const response = find(error, (one) => one instanceof HttpRequestError || one instanceof RpcRequestError);
  if (response?.status === 429) {
    const retryAfter = Number(response.headers?.get('retry-after')) || 10;
    return new OmniError('rate-limited', `A node of ${name} takes no more calls now.`, { retryAfter });
  }
  const refused = find(error, (one) => one instanceof RpcRequestError || one instanceof RpcError);
  const text = refused === undefined ? '' : `${refused.message} ${refused.details}`;
  if (/block range|too many|more than \d+ (results|logs)|response size|query exceeds|limit exceeded/i.test(text)) {
    return new OmniError('payload-too-large', `A node of ${name} finds too much in this range.`);
  }
  // The cause has the endpoint's address in it, and that mostly a key.
  return new OmniError('unavailable', `A node of ${name} gave no answer to rely on.`);
};

interface RawTransfer {
  readonly transactionHash: Hex | null;
  readonly logIndex: number | null;
  readonly blockNumber: bigint | null;
  readonly blockHash: Hex | null;
  readonly address: Hex;
  readonly removed?: boolean;
  readonly args: { readonly from: Hex; readonly to: Hex; readonly value: bigint };
}

/** Nothing that is not in a block, that was taken out of one, or that moves nothing. */
const transfersFrom = (logs: readonly RawTransfer[]): readonly ChainTransfer[] =>
  logs.flatMap(({ transactionHash, logIndex, blockNumber, blockHash, address, removed, args }) =>
    transactionHash === null || logIndex === null || blockNumber === null || blockHash === null || removed === true
      ? []
      : args.value === 0n
        ? []
        : [
            {
              transaction: transactionHash,
              logIndex,
              block: Number(blockNumber),
              blockHash,
              token: getAddress(address),
              from: getAddress(args.from),
              to: getAddress(args.to),
              units: args.value,
            },
          ],
  );

export const evmEndpoint = ({ url, chain, clock, timeout, wait }: EndpointOptions): EvmEndpoint => {
  const system = outsideSystem({
    name: chain.name,
    clock,
    timeout,
    attempts: 2,
    ...(wait === undefined ? {} : { wait }),
  });
  const client = createPublicClient({
    transport: http(url, { retryCount: 0, timeout: timeout * 1_000 }),
    cacheTime: 0,
  });
  let isKnown = false;

  const ask = <R>(work: () => Promise<R>): Promise<R> =>
    system.call(async () => {
      try {
        return await work();
      } catch (error) {
        throw isOmniError(error) ? error : refusalOf(chain.name, error);
      }
    });

  /** An endpoint of another chain would tell of money that is none. */
  const asked = async <R>(work: () => Promise<R>): Promise<R> => {
    if (!isKnown && (await ask(() => client.getChainId())) !== chain.chainId) {
      throw new OmniError('unavailable', `An endpoint of ${chain.name} is of another chain.`);
    }
    isKnown = true;
    return ask(work);
  };

  const logs = async (query: TransferQuery): Promise<readonly ChainTransfer[]> => {
    const { from, to, tokens, recipients } = query;
    const found = await asked(() =>
      client.getLogs({
        address: tokens.map(({ address }) => address),
        event: transferEvent,
        args: { to: [...recipients] },
        fromBlock: BigInt(from),
        toBlock: BigInt(to),
        strict: true,
      }),
    );
    return transfersFrom(found);
  };

  /** In halves where a node finds it too much, down to a block. */
  const transfers = async (query: TransferQuery): Promise<readonly ChainTransfer[]> => {
    try {
      return await logs(query);
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      if (query.from === query.to) throw new OmniError('unavailable', `A block of ${chain.name} has too much in it.`);
      const middle = Math.floor((query.from + query.to) / 2);
      return [...(await transfers({ ...query, to: middle })), ...(await transfers({ ...query, from: middle + 1 }))];
    }
  };

  return {
    block: async (at) => {
      const { number, hash, timestamp } = await asked(() =>
        typeof at === 'number' ? client.getBlock({ blockNumber: BigInt(at) }) : client.getBlock({ blockTag: at }),
      );
      return { number: Number(number), hash, at: Number(timestamp) * 1_000 };
    },
    transfers,
    transfersOf: async (hash) => {
      const receipt = await asked(async () => {
        try {
          return await client.getTransactionReceipt({ hash });
        } catch (error) {
          if (error instanceof TransactionReceiptNotFoundError) return undefined;
          throw error;
        }
      });
      if (receipt?.status !== 'success') return undefined;
      return transfersFrom(parseEventLogs({ abi: [transferEvent], logs: receipt.logs, strict: true }));
    },
    decimals: (address) => asked(() => client.readContract({ address, abi, functionName: 'decimals' })),
    balance: (address, owner) =>
      asked(() => client.readContract({ address, abi, functionName: 'balanceOf', args: [owner] })),
  };
};
