import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';

type Hex = `0x${string}`;

/** What a node does with the next call of a method. */
export type NodeFault = 'fail' | 'stall' | 'rate-limit' | 'nonsense';

interface Log {
  readonly address: Hex;
  readonly topics: readonly [Hex, Hex, Hex];
  readonly data: Hex;
  readonly transactionHash: Hex;
  readonly logIndex: number;
}

interface Block {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  /** Seconds. */
  readonly timestamp: number;
  readonly logs: readonly Log[];
}

/** A token's transfer, as a test says it. */
export interface Sent {
  readonly token: Hex;
  readonly to: string;
  readonly units: bigint;
  readonly from?: Hex;
}

export interface EvmChainOptions {
  readonly chainId: number;
  /** Decimals by a token's contract. */
  readonly tokens: Readonly<Record<Hex, number>>;
  /** Milliseconds since the Unix epoch: when a block is made. */
  readonly now: () => number;
  /** What `eth_getLogs` refuses more of. */
  readonly maxRange?: number;
  readonly maxLogs?: number;
}

const quantity = (value: number | bigint): Hex => `0x${value.toString(16)}`;
const word = (value: number | bigint | string): Hex =>
  `0x${(typeof value === 'string' ? value.slice(2).toLowerCase() : value.toString(16)).padStart(64, '0')}`;
const zeros: Hex = word(0);

/** `Transfer(address,address,uint256)`, `decimals()` and `balanceOf(address)`: https://eips.ethereum.org/EIPS/eip-20. */
const transferTopic: Hex = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const selectors = { decimals: '0x313ce567', balanceOf: '0x70a08231' };

const someone: Hex = '0x00000000000000000000000000000000000c0ffe';

/** Blocks with their logs, that can be replaced by others until they are final. */
export const createEvmChain = ({ now }: Pick<EvmChainOptions, 'now'>) => {
  let branch = 0;
  let transactions = 0;
  const hashOf = (...parts: readonly unknown[]): Hex =>
    `0x${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
  const blocks: Block[] = [{ number: 0, hash: hashOf('genesis'), parentHash: zeros, timestamp: 0, logs: [] }];
  let finalized = 0;
  const latest = (): Block => {
    const block = blocks.at(-1);
    if (block === undefined) throw new Error('A chain has a first block.');
    return block;
  };

  const logOf = ({ token, to, units, from = someone }: Sent, transactionHash: Hex, logIndex: number): Log => ({
    address: token,
    topics: [transferTopic, word(from), word(to)],
    data: word(units),
    transactionHash,
    logIndex,
  });

  /** One transaction for each transfer. Returns their hashes. */
  const mine = (...sent: readonly Sent[]): readonly Hex[] => {
    const { number, hash } = latest();
    const hashes = sent.map(() => {
      transactions += 1;
      return hashOf('transaction', transactions);
    });
    const logs = sent.map((one, i) => logOf(one, hashes[i] ?? zeros, i));
    const next = { number: number + 1, parentHash: hash, timestamp: Math.floor(now() / 1_000), logs };
    blocks.push({ ...next, hash: hashOf(branch, next.number, hash, logs) });
    return hashes;
  };

  return {
    blocks,
    latest,
    mine,
    /** So many empty blocks. */
    extend: (count: number): void => {
      for (let i = 0; i < count; i += 1) mine();
    },
    /** The last blocks lose to others, which are empty. */
    reorganise: (depth: number): void => {
      if (latest().number - depth < finalized) throw new Error('What is final stays.');
      branch += 1;
      blocks.splice(-depth);
      for (let i = 0; i < depth; i += 1) mine();
    },
    /** Everything up to a block; up to the newest where none is said. */
    finalise: (number = latest().number): void => {
      finalized = Math.max(finalized, number);
    },
    finalized: () => finalized,
  };
};
export type EvmChain = ReturnType<typeof createEvmChain>;

const hexSchema = z.templateLiteral(['0x', z.string().regex(/^[0-9a-fA-F]*$/)]);
const numberSchema = z
  .string()
  .regex(/^0x(0|[1-9a-f][0-9a-f]*)$/)
  .transform(Number);
const addressSchema = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const wordSchema = z.string().regex(/^0x[0-9a-f]{64}$/);

/** https://ethereum.github.io/execution-apis/: no more than we use, and nothing else. */
const requestSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('eth_chainId'), params: z.tuple([]).optional() }),
  z.strictObject({ method: z.literal('eth_blockNumber'), params: z.tuple([]).optional() }),
  z.strictObject({
    method: z.literal('eth_getBlockByNumber'),
    params: z.tuple([z.union([z.enum(['finalized', 'latest']), numberSchema]), z.literal(false)]),
  }),
  z.strictObject({
    method: z.literal('eth_getLogs'),
    params: z.tuple([
      z.strictObject({
        address: z.array(addressSchema).min(1).max(20),
        topics: z.tuple([z.literal(transferTopic), z.null(), z.array(wordSchema).min(1).max(200)]),
        fromBlock: numberSchema,
        toBlock: numberSchema,
      }),
    ]),
  }),
  z.strictObject({ method: z.literal('eth_getTransactionReceipt'), params: z.tuple([wordSchema]) }),
  z.strictObject({
    method: z.literal('eth_call'),
    params: z.tuple([z.strictObject({ to: addressSchema, data: hexSchema })]).rest(z.literal('latest')),
  }),
]);
type RpcRequest = z.infer<typeof requestSchema>;
type Params<M extends RpcRequest['method']> = Extract<RpcRequest, { method: M }>['params'];
const envelopeSchema = z.strictObject({
  jsonrpc: z.literal('2.0'),
  id: z.int(),
  method: z.string(),
  params: z.unknown().optional(),
});

class RpcFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const blockView = ({ number, hash, parentHash, timestamp }: Block) => ({
  number: quantity(number),
  hash,
  parentHash,
  timestamp: quantity(timestamp),
  transactions: [],
  gasLimit: '0x1c9c380',
  gasUsed: '0x0',
  difficulty: '0x0',
  extraData: '0x',
  logsBloom: `0x${'0'.repeat(512)}`,
  miner: someone,
  mixHash: zeros,
  nonce: '0x0000000000000000',
  receiptsRoot: zeros,
  sha3Uncles: zeros,
  size: '0x220',
  stateRoot: zeros,
  transactionsRoot: zeros,
  uncles: [],
});

const logView = ({ number, hash }: Block, { address, topics, data, transactionHash, logIndex }: Log) => ({
  address,
  topics,
  data,
  transactionHash,
  logIndex: quantity(logIndex),
  transactionIndex: quantity(logIndex),
  blockNumber: quantity(number),
  blockHash: hash,
  removed: false,
});

/** One node of a chain. It may be behind, and it may lie. */
export const startEvmNode = async (chain: EvmChain, options: EvmChainOptions) => {
  const { chainId, tokens, maxRange = 2_000 } = options;
  const requests: RpcRequest[] = [];
  const faults: { readonly method: string; readonly fault: NodeFault }[] = [];
  /** Blocks by which it is behind, transactions that it does not tell of, and another chain that it takes itself for. */
  const manner = {
    behind: 0,
    hides: new Set<string>(),
    chainId,
    decimals: new Map<string, number>(),
    maxLogs: options.maxLogs ?? 10_000,
  };

  const known = (): readonly Block[] =>
    chain.blocks.slice(0, Math.max(1, chain.blocks.length - manner.behind)).map((block) => ({
      ...block,
      logs: block.logs.filter(({ transactionHash }) => !manner.hides.has(transactionHash)),
    }));

  const logsOf = ({ address, topics, fromBlock, toBlock }: Params<'eth_getLogs'>[0]) => {
    if (toBlock < fromBlock) throw new RpcFailure(-32_602, 'invalid block range params');
    if (toBlock - fromBlock >= maxRange) throw new RpcFailure(-32_602, `block range is too large, max ${maxRange}`);
    const wanted = new Set(address.map((one) => one.toLowerCase()));
    const found = known()
      .filter(({ number }) => number >= fromBlock && number <= toBlock)
      .flatMap((block) =>
        block.logs
          .filter((log) => wanted.has(log.address.toLowerCase()) && topics[2].includes(log.topics[2]))
          .map((log) => logView(block, log)),
      );
    if (found.length > manner.maxLogs) {
      throw new RpcFailure(-32_005, `query returned more than ${manner.maxLogs} results`);
    }
    return found;
  };

  const receiptOf = (hash: string) => {
    const block = known().find(({ logs }) => logs.some(({ transactionHash }) => transactionHash === hash));
    if (block === undefined) return null;
    const logs = block.logs.filter(({ transactionHash }) => transactionHash === hash);
    return {
      transactionHash: hash,
      transactionIndex: '0x0',
      blockHash: block.hash,
      blockNumber: quantity(block.number),
      from: someone,
      to: logs[0]?.address ?? null,
      cumulativeGasUsed: '0x5208',
      gasUsed: '0x5208',
      effectiveGasPrice: '0x1',
      contractAddress: null,
      logsBloom: `0x${'0'.repeat(512)}`,
      status: '0x1',
      type: '0x2',
      logs: logs.map((log) => logView(block, log)),
    };
  };

  const callOf = ({ to, data }: { to: string; data: string }): Hex => {
    const decimals = Object.entries(tokens).find(([address]) => address.toLowerCase() === to.toLowerCase())?.[1];
    if (decimals === undefined) return '0x';
    if (data === selectors.decimals) return word(manner.decimals.get(to.toLowerCase()) ?? decimals);
    if (!data.startsWith(selectors.balanceOf)) throw new RpcFailure(3, 'execution reverted');
    const owner = word(`0x${data.slice(-40)}`);
    const logs = known()
      .flatMap((block) => block.logs)
      .filter(({ address }) => address.toLowerCase() === to.toLowerCase());
    const sum = (side: 1 | 2) =>
      logs.filter(({ topics }) => topics[side] === owner).reduce((total, one) => total + BigInt(one.data), 0n);
    return word(sum(2) - sum(1));
  };

  const answerTo = (request: RpcRequest): unknown => {
    const all = known();
    if (request.method === 'eth_chainId') return quantity(manner.chainId);
    if (request.method === 'eth_blockNumber') return quantity(all.at(-1)?.number ?? 0);
    if (request.method === 'eth_getLogs') return logsOf(request.params[0]);
    if (request.method === 'eth_getTransactionReceipt') return receiptOf(request.params[0]);
    if (request.method === 'eth_call') return callOf(request.params[0]);
    const [at] = request.params;
    const newest = all.length - 1;
    const number = at === 'latest' ? newest : at === 'finalized' ? Math.min(newest, chain.finalized()) : at;
    const block = all[number];
    return block === undefined ? null : blockView(block);
  };

  const spoil = (fault: NodeFault, response: ServerResponse): void => {
    if (fault === 'fail') response.writeHead(503).end();
    else if (fault === 'nonsense') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    else if (fault === 'rate-limit') {
      const error = { code: 429, message: 'Too Many Requests' };
      response.writeHead(429, { 'retry-after': '7', 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, error }));
    }
  };

  const server = createServer(
    (incoming, response) =>
      void text(incoming).then((body) => {
        const { id, method, params } = envelopeSchema.parse(JSON.parse(body));
        const index = faults.findIndex((one) => one.method === method);
        const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
        if (fault !== undefined) {
          spoil(fault, response);
          return;
        }
        const send = (answer: object) =>
          response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
        const request = requestSchema.safeParse({ method, ...(params === undefined ? {} : { params }) });
        if (!request.success) {
          send({ error: { code: -32_602, message: `Invalid params: ${request.error.message}` } });
          return;
        }
        requests.push(request.data);
        try {
          send({ result: answerTo(request.data) });
        } catch (error) {
          if (!(error instanceof RpcFailure)) throw error;
          send({ error: { code: error.code, message: error.message } });
        }
      }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    url: `http://127.0.0.1:${address.port}/the-key-of-the-node`,
    requests,
    manner,
    /** The next calls of a method go wrong, so many of them. */
    fault: (method: RpcRequest['method'], fault: NodeFault, times = 1): void => {
      for (let i = 0; i < times; i += 1) faults.push({ method, fault });
    },
    calls: (method: RpcRequest['method']): number => requests.filter((request) => request.method === method).length,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
export type EvmNode = Awaited<ReturnType<typeof startEvmNode>>;
