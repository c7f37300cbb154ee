import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { doneByActor } from '../identity/identity.events.ts';
import type { User } from '../identity/user.schema.ts';
import type { AllowanceView, BlockInput, BlockView } from './block.schema.ts';
import { type Block, type GuardRecord, guardId } from './guard.schema.ts';
import { networkNamed } from './networks.ts';
import { allowanceLifted, blockChanged } from './threat.events.ts';

export interface BlockService {
  /** The newest first. */
  list(actor: Actor, request: PageRequest): Promise<Page<BlockView>>;
  /**
   * Sets a block, or another end and reason to the one there is. Fails with `not-found` for a user that is not there,
   * and with `invalid-request` for what is no network.
   */
  set(actor: Actor, input: BlockInput): Promise<BlockView>;
  /** Fails with `not-found`. */
  lift(actor: Actor, id: string): Promise<void>;
  /** What is taken for harmless, the newest first. */
  listAllowances(actor: Actor, request: PageRequest): Promise<Page<AllowanceView>>;
  /** Fails with `not-found`. */
  liftAllowance(actor: Actor, id: string): Promise<void>;
}

export interface BlockServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly guards: TenantStore<GuardRecord>;
  readonly users: TenantStore<User>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const viewOf = (id: string, block: Block): BlockView => {
  const { target, value, user, reason, incident, by, sparesKnownDevices, createdAt, expiresAt } = block;
  const about = target === 'network' ? { network: value } : { user: user ?? null };
  return {
    id,
    ...about,
    target,
    reason,
    by,
    sparesKnownDevices,
    createdAt,
    expiresAt,
    ...(incident === undefined ? {} : { incident }),
  };
};

/** Whoever sets a block says so in the same transaction. A block that ends later than this one stays as it is. */
export const putBlock = (
  transaction: Transaction,
  options: {
    readonly guards: TenantStore<GuardRecord>;
    readonly makeEvent: MakeEvent;
    readonly tenant: string;
    readonly there: Stored<GuardRecord> | undefined;
    readonly byKind: Actor['kind'];
  },
  block: Block,
): string => {
  const { guards, makeEvent, tenant, there, byKind } = options;
  const id = guardId.block(block.target, block.value);
  if (there === undefined) transaction.create(guards.of(tenant), id, block);
  else transaction.update(guards.of(tenant), id, block, { revision: there.revision });
  const { target, value, by, user, incident, expiresAt } = block;
  const event = makeEvent(blockChanged, {
    tenant,
    subject: id,
    data: {
      block: id,
      target,
      value,
      by,
      byKind,
      state: 'set',
      until: expiresAt,
      ...(user === undefined ? {} : { user }),
      ...(incident === undefined ? {} : { incident }),
    },
  });
  transaction.emit(event);
  return id;
};

/** Of two who set the first one at once. */
const whenSetMeanwhile = (error: unknown): never => {
  if (!isOmniError(error, 'already-exists')) throw error;
  throw new OmniError('revision-conflict', 'It was set meanwhile. Try again.');
};

export const createBlockService = (options: BlockServiceOptions): BlockService => {
  const { database, guards, users, makeEvent, clock } = options;

  const targetOf = async (tenant: string, input: BlockInput): Promise<Pick<Block, 'target' | 'value' | 'user'>> => {
    if (input.target === 'network') {
      const network = networkNamed(input.network);
      if (network !== undefined) return { target: 'network', value: network };
      throw new OmniError('invalid-request', 'Some fields are not valid.', {
        issues: [{ path: 'body.network', message: 'Must be an address, an IPv4 /24 or an IPv6 /64' }],
      });
    }
    const user = await users.of(tenant).get(input.user);
    if (user === undefined) throw new OmniError('not-found', 'There is no such user.');
    return { target: 'account', value: sha256(user.value.email), user: user.id };
  };

  /** One kind of record, the newest first. */
  const page = async <K extends GuardRecord['kind']>(tenant: string, kind: K, request: PageRequest) => {
    const found = await guards.of(tenant).query({
      where: [{ field: 'kind', op: '==', value: kind }],
      orderBy: { field: 'createdAt', order: 'desc' },
      ...request,
    });
    return { nextCursor: found.nextCursor, items: found.items };
  };

  const find = async (transaction: Transaction, tenant: string, id: string, kind: GuardRecord['kind']) => {
    const stored = await transaction.get(guards.of(tenant), id);
    if (stored?.value.kind !== kind) throw new OmniError('not-found', `There is no such ${kind}.`);
    return stored;
  };

  return {
    list: async ({ tenant }, request) => {
      const { items, nextCursor } = await page(tenant, 'block', request);
      return {
        nextCursor,
        items: items.flatMap(({ id, value }) => (value.kind === 'block' ? [viewOf(id, value)] : [])),
      };
    },
    set: async (actor, input) => {
      const { tenant } = actor;
      const target = await targetOf(tenant, input);
      const now = clock.now();
      const block: Block = {
        kind: 'block',
        ...target,
        reason: input.reason,
        by: actor.id,
        sparesKnownDevices: input.sparesKnownDevices,
        createdAt: isoTime(now),
        expiresAt: isoTime(now + input.minutes * 60_000),
      };
      const id = await database
        .transaction(async (transaction) => {
          const there = await transaction.get(guards.of(tenant), guardId.block(block.target, block.value));
          return putBlock(transaction, { guards, makeEvent, tenant, there, byKind: actor.kind }, block);
        })
        .catch(whenSetMeanwhile);
      return viewOf(id, block);
    },
    lift: async (actor, id) => {
      const { tenant } = actor;
      await database.transaction(async (transaction) => {
        const { value, revision } = await find(transaction, tenant, id, 'block');
        if (value.kind !== 'block') return;
        transaction.delete(guards.of(tenant), id, { revision });
        const { target, user } = value;
        const data = { block: id, target, value: value.value, ...doneByActor(actor), state: 'lifted' as const };
        const event = makeEvent(blockChanged, {
          tenant,
          subject: id,
          data: { ...data, ...(user === undefined ? {} : { user }) },
        });
        transaction.emit(event);
      });
    },
    listAllowances: async ({ tenant }, request) => {
      const { items, nextCursor } = await page(tenant, 'allowance', request);
      return {
        nextCursor,
        items: items.flatMap(({ id, value }) => {
          if (value.kind !== 'allowance') return [];
          const { of, kind: _kind, ...rest } = value;
          return [{ id, kind: of, ...rest }];
        }),
      };
    },
    liftAllowance: async (actor, id) => {
      const { tenant } = actor;
      await database.transaction(async (transaction) => {
        const { revision } = await find(transaction, tenant, id, 'allowance');
        transaction.delete(guards.of(tenant), id, { revision });
        const data = { allowance: id, ...doneByActor(actor) };
        transaction.emit(makeEvent(allowanceLifted, { tenant, subject: id, data }));
      });
    },
  };
};
