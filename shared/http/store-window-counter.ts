import * as z from 'zod';
import type { WindowCounter } from '../cache/counter.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { sha256 } from '../kernel/json.ts';
import { platformCollection } from '../store/collection.ts';
import type { Store } from '../store/store.ts';

const windowSchema = z.object({ count: z.number(), expiresAt: z.iso.datetime() });
type Window = z.infer<typeof windowSchema>;

export const rateWindowCollection = platformCollection<Window>({
  name: 'rateWindows',
  schema: windowSchema,
  ttl: 'expiresAt',
});

/**
 * Counts in the store, where there is no Redis. An increment and then a read, because Firestore's increment does not
 * tell the sum: the answer may hold later increments too, which errs to the side of the limit.
 */
export const storeWindowCounter = ({ windows, clock }: { windows: Store<Window>; clock: Clock }): WindowCounter => ({
  add: async (key, n, windowSeconds) => {
    const id = sha256(key);
    await windows.increment(id, { count: n }, { expiresAt: isoTime(clock.now() + windowSeconds * 1000) });
    return (await windows.get(id))?.value.count ?? n;
  },
});
