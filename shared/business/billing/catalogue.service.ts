import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Filter, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { badField, notFound } from './billing.fields.ts';
import { type Priced, priceOf } from './price.amount.ts';
import type { NewPrice, Price, PriceChange, PriceView } from './price.schema.ts';
import type { NewProduct, Product, ProductChange, ProductView } from './product.schema.ts';

/** A price as it is sold: with its product, and as it was read. */
export interface Offer {
  readonly price: Stored<Price>;
  readonly product: Stored<Product>;
}

export interface CatalogueService {
  createProduct(actor: Actor, input: NewProduct): Promise<ProductView>;
  getProduct(actor: Actor, id: string): Promise<ProductView>;
  /** By id. */
  listProducts(actor: Actor, page: PageRequest): Promise<Page<ProductView>>;
  /** Fails with `not-found`, and with `revision-conflict` when it was changed meanwhile. */
  changeProduct(actor: Actor, id: string, change: ProductChange): Promise<ProductView>;
  /** Fails with `invalid-request` where there is no such product, or it is archived. */
  createPrice(actor: Actor, input: NewPrice): Promise<PriceView>;
  getPrice(actor: Actor, id: string): Promise<PriceView>;
  /** Newest first. */
  listPrices(actor: Actor, filter: PageRequest & { readonly product?: string | undefined }): Promise<Page<PriceView>>;
  /** Fails with `precondition-failed` for the amounts of a price that was sold. */
  changePrice(actor: Actor, id: string, change: PriceChange): Promise<PriceView>;
  /** What a quantity costs, part by part. */
  quote(
    actor: Actor,
    id: string,
    asked: { readonly currency?: string | undefined; readonly quantity: number },
  ): Promise<Priced>;
  /** Two round trips, whatever the number. Absent ones are left out. */
  offers(tenant: string, prices: readonly string[]): Promise<ReadonlyMap<string, Offer>>;
  /** Marks prices that were never sold as sold, in the transaction that sells them: who changes one at the same time fails. */
  markUsed(transaction: Transaction, tenant: string, offers: readonly Offer[]): void;
}

export interface CatalogueOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly products: TenantStore<Product>;
  readonly prices: TenantStore<Price>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

const productView = ({ id, value }: Pick<Stored<Product>, 'id' | 'value'>): ProductView => ({ id, ...value });
const priceView = ({ id, value }: Pick<Stored<Price>, 'id' | 'value'>): PriceView => ({ id, ...value });

const changedProduct = (product: Product, change: ProductChange): Product => ({
  ...product,
  name: change.name ?? product.name,
  description: change.description ?? product.description,
  features: change.features ?? product.features,
  active: change.active ?? product.active,
});

const changedPrice = (price: Price, change: PriceChange): Price => ({
  ...price,
  name: change.name ?? price.name,
  active: change.active ?? price.active,
  amounts: change.amounts ?? price.amounts,
});

export const createCatalogueService = (options: CatalogueOptions): CatalogueService => {
  const { database, products, prices, audit, newId, clock } = options;

  const find = async <T extends object>(store: TenantStore<T>, tenant: string, id: string, what: string) => {
    const stored = await store.of(tenant).get(id);
    if (stored === undefined) throw notFound(what);
    return stored;
  };

  /** Creates it with its entry in the log. Repeated after a crash it gives back what the first attempt made. */
  const create = async <T extends object>(actor: Actor, store: TenantStore<T>, id: string, value: T, what: string) => {
    const own = store.of(actor.tenant);
    try {
      await database.transaction(async (transaction) => {
        transaction.create(own, id, value);
        await record(transaction, actor, `${what}.created`, what, id);
      });
      return { id, value };
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
      return find(store, actor.tenant, id, what);
    }
  };

  const change = async <T extends object>(
    actor: Actor,
    store: TenantStore<T>,
    { id, value, revision }: Stored<T>,
    next: T,
    what: string,
  ) => {
    if (canonicalJson(next) === canonicalJson(value)) return { id, value };
    await database.transaction(async (transaction) => {
      transaction.update(store.of(actor.tenant), id, next, { revision });
      await record(transaction, actor, `${what}.changed`, what, id);
    });
    return { id, value: next };
  };

  const record = (transaction: Transaction, actor: Actor, action: string, type: string, id: string) =>
    audit.record(transaction, actor, { action: `billing.${action}`, target: { type, id }, outcome: 'success' });

  return {
    createProduct: async (actor, input) => {
      const product: Product = { ...input, active: true, createdAt: isoTime(clock.now()) };
      return productView(await create(actor, products, idsFor(actor, newId)('prod'), product, 'product'));
    },
    getProduct: async ({ tenant }, id) => productView(await find(products, tenant, id, 'product')),
    listProducts: async ({ tenant }, { limit, cursor }) => {
      const page = await products.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(productView) };
    },
    changeProduct: async (actor, id, asked) => {
      const stored = await find(products, actor.tenant, id, 'product');
      return productView(await change(actor, products, stored, changedProduct(stored.value, asked), 'product'));
    },
    createPrice: async (actor, input) => {
      const product = await products.of(actor.tenant).get(input.product);
      if (product?.value.active !== true) throw badField('body.product', 'There is no such product that is sold');
      const price: Price = { ...input, active: true, used: false, createdAt: isoTime(clock.now()) };
      return priceView(await create(actor, prices, idsFor(actor, newId)('price'), price, 'price'));
    },
    getPrice: async ({ tenant }, id) => priceView(await find(prices, tenant, id, 'price')),
    listPrices: async ({ tenant }, { product, limit, cursor }) => {
      const where: Filter[] = product === undefined ? [] : [{ field: 'product', op: '==', value: product }];
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await prices.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(priceView) };
    },
    changePrice: async (actor, id, asked) => {
      const stored = await find(prices, actor.tenant, id, 'price');
      const next = changedPrice(stored.value, asked);
      if (stored.value.used && canonicalJson(next.amounts) !== canonicalJson(stored.value.amounts)) {
        throw new OmniError('precondition-failed', 'This price was sold. Archive it, and make another.');
      }
      if (Object.keys(next.amounts).length === 0) throw badField('body.amounts', 'Give at least one currency');
      return priceView(await change(actor, prices, stored, next, 'price'));
    },
    quote: async ({ tenant }, id, asked) => {
      const schemes = new Map(Object.entries((await find(prices, tenant, id, 'price')).value.amounts));
      const currency = asked.currency ?? [...schemes.keys()].sort()[0] ?? '';
      const scheme = schemes.get(currency);
      if (scheme === undefined) throw badField('body.currency', 'The price has no amount in this currency');
      return priceOf(scheme, asked.quantity, currency);
    },
    offers: async (tenant, ids) => {
      const found = (await prices.of(tenant).getMany([...new Set(ids)])).filter((price) => price !== undefined);
      const owners = [...new Set(found.map(({ value }) => value.product))];
      const sold = await products.of(tenant).getMany(owners);
      const byId = new Map(sold.flatMap((product) => (product === undefined ? [] : [[product.id, product] as const])));
      return new Map(
        found.flatMap((price) => {
          const product = byId.get(price.value.product);
          return product === undefined ? [] : [[price.id, { price, product }] as const];
        }),
      );
    },
    markUsed: (transaction, tenant, offers) => {
      const unsold = new Map(offers.filter(({ price }) => !price.value.used).map(({ price }) => [price.id, price]));
      for (const { id, value, revision } of unsold.values()) {
        transaction.update(prices.of(tenant), id, { ...value, used: true }, { revision });
      }
    },
  };
};
