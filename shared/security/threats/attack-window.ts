import * as z from 'zod';
import { isoTime } from '../../kernel/clock.ts';
import { sha256 } from '../../kernel/json.ts';
import { tenantCollection } from '../../store/collection.ts';
import type { Store, TenantStore, Transaction } from '../../store/store.ts';

/** By what failures are counted together: each asks another question. */
export const windowKinds = ['account', 'network', 'password', 'tenant'] as const;
export type WindowKind = (typeof windowKinds)[number];

const windowSchema = z.object({
  kind: z.enum(windowKinds),
  /** How often each of 4,096 cells was met. Members are spread over them by their hash. */
  cells: z.record(z.string(), z.number()).default({}),
  failures: z.number().default(0),
  successes: z.number().default(0),
  expiresAt: z.iso.datetime(),
});
export type AttackWindow = z.infer<typeof windowSchema>;

export const attackWindowCollection = tenantCollection<AttackWindow>({
  name: 'attackWindows',
  schema: windowSchema,
  ttl: 'expiresAt',
  unindexed: ['cells', 'failures', 'successes', 'kind'],
});

/** Documents that share the writes of one window: each takes about one sustained write a second. */
const shards: Readonly<Record<WindowKind, number>> = { account: 2, network: 2, password: 4, tenant: 8 };
const cellCount = 4_096;

const cellOf = (member: string): string => sha256(`cell ${member}`).slice(0, 3);

export interface WindowKey {
  readonly kind: WindowKind;
  /** Which account, network or password. */
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface WindowCount {
  readonly failures: number;
  readonly successes: number;
  /** How many different members: of an account's window networks, of all others accounts. */
  readonly distinct: number;
}

export interface AttackWindows {
  /** One write, without a read. Concurrent ones lose nothing, and their order does not matter. */
  add(
    transaction: Transaction,
    tenant: string,
    where: WindowKey,
    what: { readonly member: string; readonly outcome: 'failures' | 'successes' },
  ): void;
  /** Over this window and the one before, in the order of what was asked. One round trip. */
  read(tenant: string, wanted: readonly WindowKey[]): Promise<readonly WindowCount[]>;
}

export interface AttackWindowsOptions {
  readonly windows: TenantStore<AttackWindow>;
  /** Milliseconds that a window is long. */
  readonly length: number;
}

/**
 * Linear counting (Whang, Vander-Zanden, Taylor 1990): of `cellCount` cells as many stay empty as `n` members leave
 * empty on average. Within 2 % up to some thousand members; it tells at most 34,000.
 */
export const distinctIn = (filled: number): number =>
  Math.round(cellCount * Math.log(cellCount / (cellCount - Math.min(filled, cellCount - 1))));

/**
 * Counts failures, and among how many, in windows that any number of instances write to at once. A document holds at
 * most its share of the cells, however many members there are, so an attacker can't make it grow.
 */
export const createAttackWindows = ({ windows, length }: AttackWindowsOptions): AttackWindows => {
  const shardOf = (kind: WindowKind, cell: string): number => Number.parseInt(cell, 16) % shards[kind];
  const idOf = ({ kind, key }: WindowKey, slot: number, shard: number): string =>
    sha256(JSON.stringify([shard, kind, key, length, slot]));
  const slotOf = ({ at }: WindowKey): number => Math.floor(at / length);

  const idsOf = (where: WindowKey): readonly string[] =>
    [slotOf(where), slotOf(where) - 1].flatMap((slot) =>
      Array.from({ length: shards[where.kind] }, (_, shard) => idOf(where, slot, shard)),
    );

  const sum = (found: Awaited<ReturnType<Store<AttackWindow>['getMany']>>): WindowCount => {
    const values = found.flatMap((one) => (one === undefined ? [] : [one.value]));
    const cells = new Set(values.flatMap((value) => Object.keys(value.cells)));
    const total = (field: 'failures' | 'successes') => values.reduce((all, value) => all + value[field], 0);
    return { failures: total('failures'), successes: total('successes'), distinct: distinctIn(cells.size) };
  };

  return {
    add: (transaction, tenant, where, { member, outcome }) => {
      const cell = cellOf(member);
      const id = idOf(where, slotOf(where), shardOf(where.kind, cell));
      const expiresAt = isoTime((slotOf(where) + 3) * length);
      // Who got in is no victim.
      const by = outcome === 'failures' ? { failures: 1, [`cells.c${cell}`]: 1 } : { successes: 1 };
      transaction.increment(windows.of(tenant), id, by, { kind: where.kind, expiresAt });
    },
    read: async (tenant, wanted) => {
      const ids = wanted.map(idsOf);
      const found = await windows.of(tenant).getMany(ids.flat());
      let from = 0;
      return ids.map(({ length: many }) => {
        from += many;
        return sum(found.slice(from - many, from));
      });
    },
  };
};
