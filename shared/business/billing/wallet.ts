import * as z from 'zod';
import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { tenantCollection } from '../../store/collection.ts';
import { currencySchema, lineOf, timeSchema } from './billing.fields.ts';

/** What one document can hold. */
const maxGrants = 200;
const maxHolds = 50;
const amount = z.int().min(0);

export const creditSchema = z
  .object({
    id: z.string(),
    currency: currencySchema,
    amount: amount.meta({ description: 'What was given, minor units.' }),
    remaining: amount.meta({ description: 'What is left of it, also what is held.' }),
    reason: lineOf(200),
    expiresAt: timeSchema.nullable(),
    createdAt: timeSchema,
  })
  .meta({ id: 'WalletCredit', description: 'Credit that was given. What expires first is spent first.' });
export type Credit = z.infer<typeof creditSchema>;

const holdSchema = z.object({ id: z.string(), currency: currencySchema, amount, expiresAt: timeSchema });

/** A customer's credit. What is spent or expired is left out after the next change. */
export const walletSchema = z.object({
  credits: z.array(creditSchema).max(maxGrants),
  holds: z.array(holdSchema).max(maxHolds),
  /** When the first of its credits ends, by which those that ended are found. */
  endsAt: timeSchema.nullable().default(null),
});
export type Wallet = z.infer<typeof walletSchema>;

/** By the customer's id. */
export const walletCollection = tenantCollection<Wallet>({
  name: 'billingWallets',
  schema: walletSchema,
  unindexed: ['credits', 'holds'],
});

export const emptyWallet: Wallet = { credits: [], holds: [], endsAt: null };

const isLive = ({ expiresAt }: { readonly expiresAt: string | null }, now: number): boolean =>
  expiresAt === null || Date.parse(expiresAt) > now;

/** What ends first comes first; of those that end at one time, or never, what was given first. */
const bySpending = (a: Credit, b: Credit): number => {
  const end = ({ expiresAt }: Credit): number =>
    expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
  if (end(a) !== end(b)) return end(a) < end(b) ? -1 : 1;
  return a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1;
};

const walletOf = (credits: readonly Credit[], holds: Wallet['holds']): Wallet => {
  const ends = credits.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [Date.parse(expiresAt)]));
  return { credits: [...credits], holds, endsAt: ends.length === 0 ? null : isoTime(Math.min(...ends)) };
};

/** Without what is spent or has ended. */
export const pruned = ({ credits, holds }: Wallet, now: number): Wallet =>
  walletOf(
    credits.filter((credit) => credit.remaining > 0 && isLive(credit, now)),
    holds.filter((hold) => isLive(hold, now)),
  );

/** Credit that has ended since the wallet was written: the next change leaves it out. */
export const expiredIn = ({ credits }: Wallet, now: number): readonly Credit[] =>
  credits.filter((credit) => credit.remaining > 0 && !isLive(credit, now));

const total = (parts: readonly { readonly currency: string; readonly amount: number }[], currency: string): number =>
  parts.reduce((sum, part) => (part.currency === currency ? sum + part.amount : sum), 0);

/** What is there, and what of it is not held. Minor units. */
export const balanceOf = (wallet: Wallet, currency: string, now: number) => {
  const { credits, holds } = pruned(wallet, now);
  const balance = total(
    credits.map((credit) => ({ currency: credit.currency, amount: credit.remaining })),
    currency,
  );
  return { balance, available: Math.max(0, balance - total(holds, currency)) };
};

/** Fails with `precondition-failed` where the wallet is full. */
export const withCredit = (wallet: Wallet, credit: Credit, now: number): Wallet => {
  const { credits, holds } = pruned(wallet, now);
  if (credits.length >= maxGrants)
    throw new OmniError('precondition-failed', `At most ${maxGrants} credits at a time.`);
  return walletOf([...credits, credit], holds);
};

/** Takes as much of `upTo` as is available, of what expires first. */
export const spend = (
  wallet: Wallet,
  upTo: number,
  currency: string,
  now: number,
): { readonly wallet: Wallet; readonly spent: number } => {
  const spent = Math.min(Math.max(0, upTo), balanceOf(wallet, currency, now).available);
  const { credits, holds } = pruned(wallet, now);
  let left = spent;
  const after = credits.toSorted(bySpending).map((credit) => {
    if (credit.currency !== currency) return credit;
    const taken = Math.min(left, credit.remaining);
    left -= taken;
    return { ...credit, remaining: credit.remaining - taken };
  });
  const kept = after.filter(({ remaining }) => remaining > 0);
  return { wallet: walletOf(kept, holds), spent };
};

/** Keeps credit for something that is not finished. Fails with `precondition-failed` where there is too little. */
export const withHold = (wallet: Wallet, hold: Wallet['holds'][number], now: number): Wallet => {
  const { credits, holds } = pruned(wallet, now);
  if (balanceOf(wallet, hold.currency, now).available < hold.amount) {
    throw new OmniError('precondition-failed', 'There is not so much credit.');
  }
  if (holds.length >= maxHolds) throw new OmniError('precondition-failed', `At most ${maxHolds} holds at a time.`);
  return walletOf(credits, [...holds, hold]);
};

/** Gives what is held back, or spends up to all of it. Fails with `not-found` where the hold is over. */
export const settleHold = (
  wallet: Wallet,
  id: string,
  captured: number,
  now: number,
): { readonly wallet: Wallet; readonly spent: number } => {
  const hold = pruned(wallet, now).holds.find((one) => one.id === id);
  if (hold === undefined) throw new OmniError('not-found', 'There is no such hold, or it is over.');
  if (captured > hold.amount) throw new OmniError('precondition-failed', 'More than is held.');
  const released = { ...wallet, holds: wallet.holds.filter((one) => one.id !== id) };
  return spend(released, captured, hold.currency, now);
};
