import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Page } from '../../kernel/page.ts';
import type { Store, Stored } from '../../store/store.ts';
import { worthOf } from './amounts.ts';
import { type ChainReader, transferId } from './chain-reader.ts';
import type { Chain, Token } from './chains.ts';
import type { ChainTransfer } from './evm-endpoint.ts';
import type { OnchainScan, OnchainWatch, SeenTransfer, Tier } from './onchain.schema.ts';
import type { Arrival } from './onchain.state.ts';

/** Addresses of one step: as many as a node takes in one question, and so few that one commit holds what comes of them. */
export const pageLength = 100;
/** Ranges of blocks that are not final yet which are looked at. */
const maxTail = 5;
const blocksAtOnce = 10;

type Round = NonNullable<OnchainScan['round']>;

/** What one step has read. */
export interface ChainStep {
  readonly round: Round;
  readonly latest: number;
  /** Blocks up to here were read before. */
  readonly done: number;
  readonly watches: Page<Stored<OnchainWatch>>;
  readonly arrivals: ReadonlyMap<string, readonly Arrival[]>;
  /** Undefined where blocks that are not final were not looked at. */
  readonly seen: ReadonlyMap<string, readonly SeenTransfer[]> | undefined;
}

export interface StepOptions {
  readonly chain: Chain;
  readonly tier: Tier;
  readonly reader: ChainReader;
  readonly watches: Store<OnchainWatch>;
  readonly scan: OnchainScan | undefined;
  /** How far the open addresses are read: an address that leaves them has been read that far. */
  readonly openDone: number | undefined;
}

export const scanId = (chain: string, tier: Tier): string => `${chain}~${tier}`;

interface Begun {
  readonly round: Round;
  readonly latest: number;
  readonly done: number;
}

/** Goes on with a round, or begins the next one. Undefined where there is nothing new to read. */
const beginRound = async ({ chain, tier, reader, scan, openDone }: StepOptions): Promise<Begun | undefined> => {
  if (scan !== undefined && scan.round !== null) return { round: scan.round, latest: scan.latest, done: scan.done };
  // It begins where the open addresses began, so that nothing is between the two.
  if (scan === undefined && tier === 'closed') return undefined;
  const { finalized, latest } = await reader.heads();
  // The first time, from a while before: an address may be older than the first timer.
  const done = scan?.done ?? Math.max(0, finalized.number - chain.blockRange);
  const limit = tier === 'open' ? finalized.number : Math.min(finalized.number, openDone ?? 0);
  if (tier === 'closed' && limit <= done) return undefined;
  const to = Math.max(done, Math.min(limit, done + chain.blockRange));
  const { at } = to === finalized.number ? finalized : await reader.block(to);
  return { round: { to, at: isoTime(at), finalized: Math.max(limit, to), page: null }, latest, done };
};

const grouped = <T extends { readonly to: string }, R>(all: readonly T[], make: (one: T) => R | undefined) => {
  const groups = new Map<string, R[]>();
  for (const one of all) {
    const made = make(one);
    if (made !== undefined) groups.set(one.to, [...(groups.get(one.to) ?? []), made]);
  }
  return groups;
};

const blockTimes = async (
  reader: ChainReader,
  transfers: readonly ChainTransfer[],
): Promise<ReadonlyMap<number, number>> => {
  const hashes = new Map(transfers.map(({ block, blockHash }) => [block, blockHash]));
  const numbers = [...hashes.keys()];
  const times = new Map<number, number>();
  for (let i = 0; i < numbers.length; i += blocksAtOnce) {
    const blocks = await Promise.all(numbers.slice(i, i + blocksAtOnce).map((number) => reader.block(number)));
    for (const { number, hash, at } of blocks) {
      if (hashes.get(number) !== hash) throw new OmniError('precondition-failed', 'A transfer is in another block.');
      times.set(number, at);
    }
  }
  return times;
};

/** Undefined for what is worth less than a minor unit: dust, which anybody can send to anybody. */
const seenOf = (transfer: ChainTransfer, tokens: readonly Token[]): (SeenTransfer & { token: string }) | undefined => {
  const token = tokens.find(({ address }) => address.toLowerCase() === transfer.token.toLowerCase());
  if (token === undefined) return undefined;
  const { transaction, block, from, units } = transfer;
  if (worthOf(units, token.currency, { price: '1', decimals: token.decimals }).amount === 0) return undefined;
  return { id: transferId(transfer), transaction, block, from, token: token.symbol, units: units.toString() };
};

/** Reads a chain a step further. Fails as its reader does. */
export const readStep = async (options: StepOptions): Promise<ChainStep | undefined> => {
  const { chain, tier, reader, watches } = options;
  const begun = await beginRound(options);
  if (begun === undefined) return undefined;
  const { round, latest, done } = begun;
  const page = await watches.query({
    where: [{ field: 'scan', op: '==', value: scanId(chain.name, tier) }],
    limit: pageLength,
    cursor: round.page ?? undefined,
  });
  const { tokens, blockRange } = chain;
  const recipients = page.items.map(({ value }) => value.address);
  const transfers = await reader.transfers({ from: done + 1, to: round.to, tokens, recipients });
  const times = await blockTimes(reader, transfers);
  const arrivals = grouped(transfers, (transfer): Arrival | undefined => {
    const seen = seenOf(transfer, tokens);
    const token = tokens.find(({ symbol }) => symbol === seen?.token);
    const at = times.get(transfer.block);
    return seen === undefined || token === undefined || at === undefined
      ? undefined
      : { ...seen, at, currency: token.currency, decimals: token.decimals };
  });
  if (tier === 'closed' || round.to < round.finalized) return { ...begun, watches: page, arrivals, seen: undefined };
  const tail: ChainTransfer[] = [];
  for (let from = round.to + 1, i = 0; from <= latest && i < maxTail; from += blockRange, i += 1) {
    tail.push(...(await reader.seen({ from, to: Math.min(latest, from + blockRange - 1), tokens, recipients })));
  }
  return { ...begun, watches: page, arrivals, seen: grouped(tail, (transfer) => seenOf(transfer, tokens)) };
};
