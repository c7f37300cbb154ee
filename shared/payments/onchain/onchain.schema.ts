import * as z from 'zod';
import { platformCollection, tenantCollection } from '../../store/collection.ts';

const time = z.iso.datetime();
/** In a token's smallest unit, as a decimal integer: it may not fit a number. */
const unitsSchema = z.string().regex(/^\d{1,78}$/);
const hexSchema = z.templateLiteral(['0x', z.string()]);

/** What an invoice keeps of transfers one by one. More is only counted. */
export const maxTransfers = 100;

const transferSchema = z.object({
  /** `{transaction}-{log index}` */
  id: z.string(),
  transaction: hexSchema,
  block: z.int(),
  /** When its block was made. */
  at: time,
  from: hexSchema,
  /** `USDC` */
  token: z.string(),
  units: unitsSchema,
  kind: z.enum(['in-time', 'late', 'other-asset']),
  /** In minor units of the invoice's currency, where the locked rate does not say it; null until a price is known. */
  value: z.int().nullable(),
});
export type OnchainTransfer = z.infer<typeof transferSchema>;

/** A transfer in a block that may yet become another. */
const seenSchema = transferSchema.pick({
  id: true,
  transaction: true,
  block: true,
  from: true,
  token: true,
  units: true,
});
export type SeenTransfer = z.infer<typeof seenSchema>;

const refundSchema = z.object({
  id: z.string(),
  /** Minor units of the invoice's currency, and the token's units at the locked rate. */
  amount: z.int(),
  units: unitsSchema,
  /** What paid it, once that is proven. */
  transaction: hexSchema.nullable(),
});

const decisionSchema = z.object({
  receipt: z.string(),
  what: z.enum(['accepted', 'returned']),
  transaction: hexSchema.nullable(),
  at: time,
});

export const rateSchema = z.object({
  price: z.string().meta({ description: 'Of one whole token in the currency.', examples: ['0.9213'] }),
  source: z.string().meta({ description: '`par`: a stablecoin in its own currency.' }),
  at: time,
});

const invoiceShape = {
  payment: z.string(),
  livemode: z.boolean(),
  chain: z.string(),
  token: z.string(),
  decimals: z.int(),
  wallet: z.string(),
  index: z.int(),
  path: z.string(),
  address: hexSchema,
  amount: z.int(),
  currency: z.string(),
  units: unitsSchema,
  rate: rateSchema,
  createdAt: time,
  /** Until then the rate holds. */
  expiresAt: time,
  canceledAt: time.nullable(),
  /** When every block that was made in time was final and read. */
  closedAt: time.nullable(),
  updatedAt: time,
  transfers: z.array(transferSchema),
  seen: z.array(seenSchema),
  /** Transfers beyond those that are kept one by one. */
  uncounted: z.int(),
  refunds: z.array(refundSchema),
  decisions: z.array(decisionSchema),
  /** Money is held, and somebody has to say what becomes of it. */
  undecided: z.boolean(),
};
const invoiceSchema = z.object(invoiceShape);
export type OnchainInvoice = z.infer<typeof invoiceSchema>;

const asc = (field: string) => ({ field, order: 'asc' }) as const;
const newest = { field: 'createdAt', order: 'desc' } as const;

/** A payment on a chain: what was asked for, where it is to come, and what came. */
export const onchainInvoiceCollection = tenantCollection<OnchainInvoice>({
  name: 'onchainInvoices',
  schema: invoiceSchema,
  unindexed: ['transfers', 'seen', 'refunds', 'decisions', 'rate', 'units', 'path'],
  indexes: [
    { fields: [asc('undecided'), newest] },
    { fields: [asc('livemode'), newest] },
    { fields: [asc('livemode'), asc('undecided'), newest] },
    { fields: [asc('chain'), newest] },
  ],
});

const addressSchema = z.object({
  wallet: z.string(),
  index: z.int(),
  path: z.string(),
  address: hexSchema,
  payment: z.string(),
  createdAt: time,
});
export type OnchainAddress = z.infer<typeof addressSchema>;

/** `{wallet}~{index}`: an index that is taken stays taken. */
export const onchainAddressCollection = tenantCollection<OnchainAddress>({
  name: 'onchainAddresses',
  schema: addressSchema,
  unindexed: ['path'],
  indexes: [{ fields: [asc('wallet'), { field: 'index', order: 'desc' }] }],
});

/** `open`: may be paid in time, looked at every minute. `closed`: every hour, for what comes late. */
export const tiers = ['open', 'closed'] as const;
export type Tier = (typeof tiers)[number];

const watchSchema = z.object({
  tenant: z.string(),
  /** `base~open` */
  scan: z.string(),
  invoice: z.string(),
  address: hexSchema,
  /** Until then what comes is in time. */
  deadline: time,
  /** Until then it is looked at. */
  until: time,
  /** Ids of what its invoice has as seen, to tell a change without reading it. */
  seen: z.string(),
});
export type OnchainWatch = z.infer<typeof watchSchema>;

/** Addresses that are looked at, over all tenants: `{chain}~{address}`. */
export const onchainWatchCollection = platformCollection<OnchainWatch>({
  name: 'onchainWatches',
  schema: watchSchema,
  unindexed: ['seen', 'deadline', 'until', 'invoice'],
});

const scanSchema = z.object({
  /** Every block up to here is final and read. */
  done: z.int(),
  /** The newest block that both nodes know. */
  latest: z.int(),
  /** What is being read: blocks after `done` up to `to`, of which `page` is the next page of addresses. */
  round: z.object({ to: z.int(), at: time, finalized: z.int(), page: z.string().nullable() }).nullable(),
  /** Grows with every change. */
  step: z.int(),
  /** The nodes want to be left alone until then. */
  quietUntil: time.nullable(),
  movedAt: time,
});
export type OnchainScan = z.infer<typeof scanSchema>;

/** How far a chain is read: `{chain}~{tier}`. */
export const onchainScanCollection = platformCollection<OnchainScan>({ name: 'onchainScans', schema: scanSchema });

const walletSchema = z.object({ tenant: z.string(), claimedAt: time });
export type OnchainWallet = z.infer<typeof walletSchema>;

/** Whose an extended public key is: two tenants with one key would give out the same addresses. */
export const onchainWalletCollection = platformCollection<OnchainWallet>({
  name: 'onchainWallets',
  schema: walletSchema,
});

export const onchainCollections = [
  onchainInvoiceCollection,
  onchainAddressCollection,
  onchainWatchCollection,
  onchainScanCollection,
  onchainWalletCollection,
];
