import { setTimeout as sleep } from 'node:timers/promises';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { badField, notFound } from './billing.fields.ts';
import type {
  Coupon,
  CouponView,
  NewCoupon,
  NewPromotionCode,
  PromotionCode,
  PromotionCodeView,
} from './coupon.schema.ts';

/** A promotion code that was found good, as it was read. */
export interface Redeemable {
  readonly coupon: Stored<Coupon>;
  readonly code: Stored<PromotionCode>;
}

export interface CouponService {
  create(actor: Actor, input: NewCoupon): Promise<CouponView>;
  get(actor: Actor, id: string): Promise<CouponView>;
  list(actor: Actor, page: PageRequest): Promise<Page<CouponView>>;
  setActive(actor: Actor, id: string, active: boolean): Promise<CouponView>;
  /** Fails with `already-exists` where the code is taken, in whatever case. */
  createCode(actor: Actor, input: NewPromotionCode): Promise<PromotionCodeView>;
  getCode(actor: Actor, code: string): Promise<PromotionCodeView>;
  listCodes(actor: Actor, page: PageRequest): Promise<Page<PromotionCodeView>>;
  setCodeActive(actor: Actor, code: string, active: boolean): Promise<PromotionCodeView>;
  /** Fails with `invalid-request` for a code that can't be taken, or not by this customer. Reads only. */
  redeemable(tenant: string, code: string, who: { customer: string; isNew: boolean; now: number }): Promise<Redeemable>;
  /**
   * Takes it, in the transaction that gives the discount. Limits hold whoever else takes it at once: the commit fails
   * with `revision-conflict`, and the code must be looked at again.
   */
  redeem(transaction: Transaction, tenant: string, redeemable: Redeemable): void;
  byIds(tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, Coupon>>;
}

export interface CouponOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly coupons: TenantStore<Coupon>;
  readonly codes: TenantStore<PromotionCode>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

const couponView = ({ id, value }: Pick<Stored<Coupon>, 'id' | 'value'>): CouponView => ({ id, ...value });
const codeView = ({ id, value }: Pick<Stored<PromotionCode>, 'id' | 'value'>): PromotionCodeView => ({ id, ...value });

interface Limited {
  readonly active: boolean;
  readonly redeemed: number;
  readonly maxRedemptions: number | null;
  readonly redeemBy: string | null;
}

const isOpen = ({ active, redeemed, maxRedemptions, redeemBy }: Limited, now: number): boolean =>
  active && (maxRedemptions === null || redeemed < maxRedemptions) && (redeemBy === null || Date.parse(redeemBy) > now);

export const createCouponService = (options: CouponOptions): CouponService => {
  const { database, coupons, codes, audit, newId, clock } = options;

  const find = async <T extends object>(store: TenantStore<T>, tenant: string, id: string, what: string) => {
    const stored = await store.of(tenant).get(id);
    if (stored === undefined) throw notFound(what);
    return stored;
  };

  const write = (actor: Actor, action: string, type: string, id: string, work: (transaction: Transaction) => void) =>
    database.transaction(async (transaction) => {
      work(transaction);
      await audit.record(transaction, actor, {
        action: `billing.${type}.${action}`,
        target: { type, id },
        outcome: 'success',
      });
    });

  const setActive = async <T extends Limited>(
    actor: Actor,
    store: TenantStore<T>,
    id: string,
    active: boolean,
    what: string,
  ): Promise<Pick<Stored<T>, 'id' | 'value'>> => {
    const { value, revision } = await find(store, actor.tenant, id, what);
    const next = { ...value, active };
    await write(actor, active ? 'activated' : 'archived', what, id, (transaction) => {
      transaction.update(store.of(actor.tenant), id, next, { revision });
    });
    return { id, value: next };
  };

  /** Counts it. Where there is a limit, on the condition that nobody else did meanwhile. */
  const count = <T extends Limited>(
    transaction: Transaction,
    store: TenantStore<T>,
    tenant: string,
    { id, value, revision }: Stored<T>,
  ): void => {
    if (value.maxRedemptions === null) transaction.increment(store.of(tenant), id, { redeemed: 1 });
    else transaction.update(store.of(tenant), id, { ...value, redeemed: value.redeemed + 1 }, { revision });
  };

  return {
    create: async (actor, input) => {
      const id = idsFor(actor, newId)('cpn');
      const value: Coupon = { ...input, redeemed: 0, active: true, createdAt: isoTime(clock.now()) };
      try {
        await write(actor, 'created', 'coupon', id, (transaction) =>
          transaction.create(coupons.of(actor.tenant), id, value),
        );
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        return couponView(await find(coupons, actor.tenant, id, 'coupon'));
      }
      return couponView({ id, value });
    },
    get: async ({ tenant }, id) => couponView(await find(coupons, tenant, id, 'coupon')),
    list: async ({ tenant }, { limit, cursor }) => {
      const page = await coupons.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(couponView) };
    },
    setActive: async (actor, id, active) => couponView(await setActive(actor, coupons, id, active, 'coupon')),
    createCode: async (actor, input) => {
      const code = input.code.toUpperCase();
      if ((await coupons.of(actor.tenant).get(input.coupon)) === undefined) {
        throw badField('body.coupon', 'There is no such coupon');
      }
      const value: PromotionCode = { ...input, code, redeemed: 0, active: true, createdAt: isoTime(clock.now()) };
      await write(actor, 'created', 'promotion-code', code, (transaction) =>
        transaction.create(codes.of(actor.tenant), code, value),
      );
      return codeView({ id: code, value });
    },
    getCode: async ({ tenant }, code) => codeView(await find(codes, tenant, code.toUpperCase(), 'promotion code')),
    listCodes: async ({ tenant }, { limit, cursor }) => {
      const page = await codes.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(codeView) };
    },
    setCodeActive: async (actor, code, active) =>
      codeView(await setActive(actor, codes, code.toUpperCase(), active, 'promotion-code')),
    redeemable: async (tenant, text, { customer, isNew, now }) => {
      const code = await codes.of(tenant).get(text.toUpperCase());
      const coupon = code === undefined ? undefined : await coupons.of(tenant).get(code.value.coupon);
      const refused = (message: string) => badField('body.promotionCode', message);
      if (code === undefined || coupon === undefined) throw refused('There is no such code');
      if (!isOpen(code.value, now) || !isOpen(coupon.value, now)) throw refused('It is used up or has ended');
      if (code.value.customer !== null && code.value.customer !== customer) throw refused('There is no such code');
      if (code.value.firstTimeOnly && !isNew) throw refused('It is for new customers');
      return { coupon, code };
    },
    redeem: (transaction, tenant, { coupon, code }) => {
      count(transaction, coupons, tenant, coupon);
      count(transaction, codes, tenant, code);
    },
    byIds: async (tenant, ids) => {
      const found = await coupons.of(tenant).getMany([...new Set(ids)]);
      return new Map(found.flatMap((coupon) => (coupon === undefined ? [] : [[coupon.id, coupon.value] as const])));
    },
  };
};

const attempts = 25;
/** Milliseconds. */
const longestPause = 150;

/**
 * Runs `attempt` again while others change what it read, at most 25 times: of twenty at once one wins each round, and
 * the others look again. Fails with `revision-conflict` when that was not enough.
 */
export const againOnConflict = async <R>(attempt: () => Promise<R>): Promise<R> => {
  for (let left = attempts; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isOmniError(error, 'revision-conflict')) throw error;
      // Those who meet come back at different moments, so that they don't meet again.
      await sleep(Math.random() * Math.min(longestPause, 10 * 2 ** (attempts - left)));
      if (left === 0) throw new OmniError('revision-conflict', 'Others kept changing what this needs. Try again.');
    }
  }
};
