import type { BlobStore } from '../../blobs/blobs.ts';
import type { Cache } from '../../cache/cache.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import { createBiller } from './biller.ts';
import { createCatalogueService } from './catalogue.service.ts';
import type { Books, Charges } from './charges.ts';
import { createCheckoutService } from './checkout.service.ts';
import { couponCollection, promotionCodeCollection } from './coupon.schema.ts';
import { createCouponService } from './coupon.service.ts';
import { customerCollection } from './customer.schema.ts';
import { createCustomerService } from './customer.service.ts';
import { createEntitlements } from './entitlements.ts';
import { createInvoiceDocuments } from './invoice.documents.ts';
import { invoiceCollection, sequenceCollection } from './invoice.schema.ts';
import { createInvoiceService } from './invoice.service.ts';
import { meterCollection, usageSeenCollection, usageTotalsCollection } from './meter.schema.ts';
import { priceCollection } from './price.schema.ts';
import { productCollection } from './product.schema.ts';
import type { SalesTax } from './sales-tax.ts';
import { billingSettingsCollection } from './settings.schema.ts';
import { createBillingSettingsService } from './settings.service.ts';
import { billingSubscriptionCollection } from './subscription.schema.ts';
import { createSubscriptionService } from './subscription.service.ts';
import { createTaxService } from './tax.service.ts';
import { createUsageService } from './usage.service.ts';
import type { VatRegister } from './vat-register.ts';
import { createWalletService } from './wallet.service.ts';
import { walletCollection } from './wallet.ts';

export const billingCollections = [
  billingSettingsCollection,
  productCollection,
  priceCollection,
  couponCollection,
  promotionCodeCollection,
  customerCollection,
  billingSubscriptionCollection,
  meterCollection,
  usageTotalsCollection,
  usageSeenCollection,
  invoiceCollection,
  sequenceCollection,
  walletCollection,
];

export const billingEncryptedCollections = [customerCollection, invoiceCollection];

export interface BillingOptions {
  readonly database: Database;
  readonly cache: Cache;
  /** For invoices as files. */
  readonly blobs: Pick<BlobStore, 'of'>;
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes money. Without it invoices are sent, and payments noted by hand. */
  readonly charges?: Charges | undefined;
  /** Whether money of this tenant does not exist. Only such a one has a test clock. */
  readonly isSandbox: (tenant: string) => Promise<boolean>;
  /** Keeps the books. Without them nothing is booked. */
  readonly books?: Books | undefined;
  /** Knows VAT numbers. Without it none counts as checked. */
  readonly register?: VatRegister | undefined;
  /** Knows the sales taxes of the United States. Without it none is charged there. */
  readonly salesTax?: SalesTax | undefined;
}

/** Everything of billing over one database. */
export const createBilling = (options: BillingOptions) => {
  const { database, blobs, cache, audit, makeEvent, newId, clock, charges, books, register, salesTax } = options;
  const { isSandbox, logger } = options;
  const customers = database.tenants(customerCollection);
  const subscriptions = database.tenants(billingSubscriptionCollection);
  const invoices = database.tenants(invoiceCollection);
  const sequences = database.tenants(sequenceCollection);
  const wallets = database.tenants(walletCollection);
  const settingsStore = database.tenants(billingSettingsCollection);
  const settings = createBillingSettingsService({
    database,
    settings: settingsStore,
    isSandbox,
    hasInvoices: async (tenant) => (await sequences.of(tenant).query({ limit: 1 })).items.length > 0,
    audit,
    makeEvent,
    newId,
    clock,
  });
  const catalogue = createCatalogueService({
    database,
    products: database.tenants(productCollection),
    prices: database.tenants(priceCollection),
    audit,
    newId,
    clock,
  });
  const coupons = createCouponService({
    database,
    coupons: database.tenants(couponCollection),
    codes: database.tenants(promotionCodeCollection),
    audit,
    newId,
    clock,
  });
  const usage = createUsageService({
    database,
    meters: database.tenants(meterCollection),
    totals: database.tenants(usageTotalsCollection),
    seen: database.tenants(usageSeenCollection),
    customers,
    settings,
    audit,
    clock,
  });
  const tax = createTaxService({ salesTax });
  const stores = { subscriptions, invoices, customers, wallets, sequences };
  const biller = createBiller({ ...stores, settings, catalogue, coupons, tax, usage, makeEvent, logger });
  const common = { database, customers, settings, audit, newId };
  const collection = { database, ...stores, biller, billingSettings: settings, charges, makeEvent };
  return {
    ...stores,
    database,
    settingsStore,
    charges,
    books,
    makeEvent,
    biller,
    catalogue,
    coupons,
    usage,
    billingSettings: settings,
    entitlements: createEntitlements({ cache, subscriptions, catalogue, settings, usage }),
    billingCustomers: createCustomerService({ ...common, subscriptions, register, clock }),
    billingSubscriptions: createSubscriptionService({
      ...common,
      subscriptions,
      catalogue,
      coupons,
      biller,
      canCollect: charges !== undefined,
      makeEvent,
    }),
    billingInvoices: createInvoiceService({ ...common, invoices, wallets, sequences, tax, makeEvent }),
    invoiceDocuments: createInvoiceDocuments({ invoices, blobs, clock }),
    walletService: createWalletService({ ...common, wallets, makeEvent }),
    checkout: createCheckoutService({ collection, audit }),
  };
};
export type Billing = ReturnType<typeof createBilling>;
