import * as z from 'zod';
import type { Actor } from '../kernel/actor.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/json.ts';
import { tenantCollection } from '../store/collection.ts';
import type { Store, Stored, TenantStore } from '../store/store.ts';
import type { HttpContext } from './context.ts';

const entrySchema = z.object({
  status: z.enum(['running', 'done']),
  /** SHA-256 of the first request's body. */
  bodyHash: z.string(),
  leaseUntil: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  response: z.object({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.string() }).optional(),
});
type Entry = z.infer<typeof entrySchema>;

/** What requests with an idempotency key did, for 24 hours. */
export const idempotencyCollection = tenantCollection<Entry>({
  name: 'idempotency',
  schema: entrySchema,
  ttl: 'expiresAt',
});

export interface Idempotency {
  /**
   * Runs a POST once for its `Idempotency-Key`: a repetition gets the first answer, one that comes while the first
   * still runs `idempotency-in-flight`, one with another body `idempotency-mismatch`. Without a key it just runs.
   *
   * Only success is kept. A refusal wrote nothing, so the key stays free for a corrected request. When an instance
   * dies between commit and answer, the next attempt runs again and meets what the first made, because ids are
   * derived from the key (`idsFor` in shared/kernel/actor.ts).
   */
  once(c: HttpContext, actor: Actor, body: Uint8Array, run: (actor: Actor) => Promise<Response>): Promise<Response>;
}

const retention = 24 * 60 * 60 * 1000;
/** Longer than any request may run. Milliseconds. */
const lease = 120_000;
/** A Firestore document holds 1 MiB. A longer answer is not kept: a repetition runs again on the same derived ids. */
const maxKept = 900_000;
const keyPattern = /^[\x21-\x7e]{1,255}$/;

const claim = async (entries: Store<Entry>, id: string, fresh: Entry, now: number): Promise<Stored<Entry>> => {
  try {
    return await entries.create(id, fresh);
  } catch (error) {
    if (!isOmniError(error, 'already-exists')) throw error;
  }
  const current = await entries.get(id);
  const inFlight = new OmniError('idempotency-in-flight', 'Wait for the first request with this key, then repeat.', {
    retryAfter: 1,
  });
  if (current === undefined) throw inFlight;
  if (current.value.bodyHash !== fresh.bodyHash) {
    throw new OmniError('idempotency-mismatch', 'This key came with another body before. Use a new key.');
  }
  if (current.value.status === 'done') return current;
  if (Date.parse(current.value.leaseUntil) > now) throw inFlight;
  try {
    return await entries.update(id, fresh, { revision: current.revision });
  } catch (error) {
    throw isOmniError(error, 'revision-conflict') || isOmniError(error, 'not-found') ? inFlight : error;
  }
};

/** What the handler said; all else the pipeline says again. */
const keptHeaders = ['content-type', 'location'];

const replay = ({ status, headers, body }: NonNullable<Entry['response']>): Response =>
  new Response(body === '' ? null : body, { status, headers: { ...headers, 'idempotency-replayed': 'true' } });

interface IdempotencyOptions {
  readonly entries: TenantStore<Entry>;
  readonly clock: Clock;
}

export const createIdempotency = ({ entries, clock }: IdempotencyOptions): Idempotency => ({
  once: async (c, actor, body, run) => {
    const key = c.req.header('idempotency-key');
    if (key === undefined) return run(actor);
    if (!keyPattern.test(key)) {
      throw new OmniError('invalid-request', 'Some fields are not valid.', {
        issues: [{ path: 'header.idempotency-key', message: 'Must be 1 to 255 visible ASCII characters' }],
      });
    }
    const store = entries.of(actor.tenant);
    const now = clock.now();
    const id = sha256(JSON.stringify([actor.id, c.req.method, c.req.path, key]));
    const fresh: Entry = {
      status: 'running',
      bodyHash: sha256(body),
      leaseUntil: isoTime(now + lease),
      expiresAt: isoTime(now + retention),
    };
    const entry = await claim(store, id, fresh, now);
    if (entry.value.response !== undefined) return replay(entry.value.response);
    try {
      const response = await run({ ...actor, idempotencyKey: id });
      const text = await response.clone().text();
      if (Buffer.byteLength(text) > maxKept) {
        await store.delete(id, { revision: entry.revision });
        return response;
      }
      const headers = Object.fromEntries([...response.headers].filter(([name]) => keptHeaders.includes(name)));
      const kept = { status: response.status, headers, body: text };
      await store.update(id, { ...entry.value, status: 'done', response: kept }, { revision: entry.revision });
      return response;
    } catch (error) {
      // The lease gives the key back in any case; this only spares the client the wait.
      await store.delete(id, { revision: entry.revision }).catch(() => undefined);
      throw error;
    }
  },
});
