import * as z from 'zod';
import { isoTime } from '../kernel/clock.ts';
import { sha256 } from '../kernel/json.ts';
import { platformCollection } from '../store/collection.ts';
import type { Database } from '../store/store.ts';
import type { providerSchema } from './webhook.events.ts';

/** Of a provider's account, as it is the id of its document. */
export const accountId = (provider: z.infer<typeof providerSchema>, account: string): string =>
  `${provider}:${account}`;

/**
 * The tombstone of an account whose tenant was erased: what still comes for it is dropped, not parked for who may
 * connect it. It names nobody, neither the account nor whose it was. An account that is connected again counts for more.
 */
export const closedAccountSchema = z.object({
  closedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type ClosedAccount = z.infer<typeof closedAccountSchema>;

/** By the hash of the account's id. */
export const closedAccountCollection = platformCollection<ClosedAccount>({
  name: 'closedProviderAccounts',
  schema: closedAccountSchema,
  ttl: 'expiresAt',
  unindexed: ['closedAt'],
});

export const closedAccountId = (id: string): string => sha256(id);

/** Milliseconds: 400 days, so that what is renewed once a year, as a subscription, comes once more and is still known. */
const remembered = 400 * 86_400_000;

/** To be done before the accounts' own documents are deleted: whoever finds none of those then finds this. */
export const closeAccounts = (
  database: Pick<Database, 'platform' | 'transaction'>,
  ids: readonly string[],
  now: number,
): Promise<void> => {
  const closed = database.platform(closedAccountCollection);
  const value: ClosedAccount = { closedAt: isoTime(now), expiresAt: isoTime(now + remembered) };
  return database.transaction(async (transaction) => {
    const before = await Promise.all(ids.map((id) => transaction.get(closed, closedAccountId(id))));
    for (const [i, id] of ids.entries()) {
      if (before[i] === undefined) transaction.create(closed, closedAccountId(id), value);
      else transaction.update(closed, closedAccountId(id), value);
    }
  });
};
