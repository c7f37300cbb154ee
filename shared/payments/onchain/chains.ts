import { isCurrency } from '../../kernel/currencies.ts';
import type { Mode } from '../accounts/gateway-account.schema.ts';

/** `0x` and hexadecimal digits. */
export type Hex = `0x${string}`;

/** A stablecoin on one chain. */
export interface Token {
  readonly symbol: string;
  /** Its contract, with the checksum of EIP-55. */
  readonly address: Hex;
  /** Of its smallest unit. */
  readonly decimals: number;
  /** ISO 4217: what one of it stands for. */
  readonly currency: string;
}

export interface ChainInfo {
  readonly name: string;
  /** EIP-155. */
  readonly chainId: number;
  /** What is on a test network is worth nothing. */
  readonly mode: Mode;
  /** Blocks that one `eth_getLogs` asks for; nodes refuse many more. */
  readonly blockRange: number;
  readonly tokens: readonly Token[];
}

/** A chain that can be asked. Its two endpoints are of different operators, and believed where they say the same. */
export interface Chain extends ChainInfo {
  readonly endpoints: readonly [string, string];
}

const token = (symbol: string, address: Hex, decimals = 6, currency = 'USD'): Token => ({
  symbol,
  address,
  decimals,
  currency,
});

/**
 * Contracts as their issuers publish them: https://developers.circle.com/stablecoins/usdc-contract-addresses,
 * https://developers.circle.com/stablecoins/eurc-contract-addresses, https://tether.to/en/supported-protocols.
 */
export const knownChains: readonly ChainInfo[] = [
  {
    name: 'ethereum',
    chainId: 1,
    mode: 'live',
    blockRange: 500,
    tokens: [
      token('USDC', '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48'),
      token('USDT', '0xdAC17F958D2ee523a2206206994597C13D831ec7'),
      token('EURC', '0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c', 6, 'EUR'),
    ],
  },
  {
    name: 'base',
    chainId: 8453,
    mode: 'live',
    blockRange: 1_000,
    tokens: [
      token('USDC', '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'),
      token('EURC', '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42', 6, 'EUR'),
    ],
  },
  {
    name: 'polygon',
    chainId: 137,
    mode: 'live',
    blockRange: 1_000,
    tokens: [
      token('USDC', '0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359'),
      token('USDT', '0xc2132D05D31c914a87C6611C10748AEb04B58e8F'),
    ],
  },
  {
    name: 'arbitrum',
    chainId: 42_161,
    mode: 'live',
    blockRange: 2_000,
    tokens: [
      token('USDC', '0xaf88d065e77c8cC2239327C5EDb3A432268e5831'),
      token('USDT', '0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9'),
    ],
  },
  {
    name: 'optimism',
    chainId: 10,
    mode: 'live',
    blockRange: 1_000,
    tokens: [
      token('USDC', '0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85'),
      token('USDT', '0x94b008aA00579c1307B0EF2c499aD98a8ce58e58'),
    ],
  },
  {
    name: 'sepolia',
    chainId: 11_155_111,
    mode: 'test',
    blockRange: 500,
    tokens: [
      token('USDC', '0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238'),
      token('EURC', '0x08210F9170F89Ab7658F0B5E3fF39b0E03C594D4', 6, 'EUR'),
    ],
  },
  {
    name: 'base-sepolia',
    chainId: 84_532,
    mode: 'test',
    blockRange: 1_000,
    tokens: [token('USDC', '0x036CbD53842c5426634e7929541eC2318f3dCF7e')],
  },
];

const wrong = (name: string, entry: number, what: string): Error =>
  // Never the entry itself: an endpoint's address mostly has a key in it.
  new Error(`The configuration is not valid: ${name} (entry ${entry + 1} ${what})`);

/** `sepolia:USDT:0x…:18:USD`: one more token, or another contract for one that is known. */
const tokensOf = (entries: readonly string[]): readonly (readonly [chain: string, token: Token])[] =>
  entries.map((entry, i) => {
    const [, chain = '', symbol = '', address = '', decimals = '', currency = ''] =
      /^([a-z-]+):([A-Za-z0-9]{2,10}):(0x[0-9a-fA-F]{40}):(\d{1,2}):([A-Z]{3})$/.exec(entry) ?? [];
    if (!isCurrency(currency) || Number(decimals) > 36 || !knownChains.some(({ name }) => name === chain)) {
      throw wrong('ONCHAIN_TOKENS', i, 'is no token');
    }
    return [chain, token(symbol, `0x${address.slice(2)}`, Number(decimals), currency)];
  });

const endpointsOf = (entries: readonly string[]): ReadonlyMap<string, readonly string[]> => {
  const all = new Map<string, string[]>();
  for (const [i, entry] of entries.entries()) {
    const [, name = '', url = ''] = /^([a-z-]+)=(https?:\/\/.+)$/.exec(entry) ?? [];
    if (!URL.canParse(url) || !knownChains.some((chain) => chain.name === name)) {
      throw wrong('ONCHAIN_RPC_URLS', i, 'names no chain or no address');
    }
    all.set(name, [...(all.get(name) ?? []), url]);
  }
  return all;
};

/**
 * The chains of a deployment. `endpoints` are `base=https://…`, two for each chain; `tokens` are
 * `base:USDT:0x…:6:USD`. Throws with the place of what is wrong, never with its text.
 */
export const chainsOf = (endpoints: readonly string[], tokens: readonly string[] = []): readonly Chain[] => {
  const added = tokensOf(tokens);
  return [...endpointsOf(endpoints)].map(([name, urls]) => {
    const info = knownChains.find((chain) => chain.name === name);
    const [first, second, ...more] = urls;
    if (info === undefined || first === undefined || second === undefined || more.length > 0 || first === second) {
      throw new Error(`The configuration is not valid: ONCHAIN_RPC_URLS (${name} needs two endpoints)`);
    }
    const own = added.filter(([chain]) => chain === name).map(([, one]) => one);
    const kept = info.tokens.filter(({ symbol }) => !own.some((one) => one.symbol === symbol));
    return { ...info, tokens: [...kept, ...own], endpoints: [first, second] };
  });
};

/** What can be paid with: `USDC-base`. */
export interface Asset {
  readonly id: string;
  readonly chain: Chain;
  readonly token: Token;
}

export const assetsOf = (chains: readonly Chain[], mode: Mode): readonly Asset[] =>
  chains
    .filter((chain) => chain.mode === mode)
    .flatMap((chain) => chain.tokens.map((one) => ({ id: `${one.symbol}-${chain.name}`, chain, token: one })));
