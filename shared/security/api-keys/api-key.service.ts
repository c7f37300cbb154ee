import { type Actor, type Principal, requireScopes } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Quotas, TenantService } from '../../platform/index.ts';
import type { Database, Store, Stored, Transaction } from '../../store/store.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import { generateKey, type ParsedKey, parseKey, sameHash } from './api-key.format.ts';
import type { ApiKey, ApiKeyInput, ApiKeyView } from './api-key.schema.ts';

export interface NewApiKey {
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly requestsPerMinute?: number;
  /** ISO 8601. */
  readonly expiresAt?: string;
}

/** With the key's text, which is shown this once. */
export interface ApiKeySecret extends ApiKeyView {
  readonly key: string;
}

export interface ApiKeyService {
  /** The newest first. */
  list(actor: Actor, request: PageRequest): Promise<Page<ApiKeyView>>;
  /**
   * A key for the actor's tenant. Fails with `forbidden` for scopes that the actor lacks, and with
   * `precondition-failed` where the plan has no more keys.
   */
  give(actor: Actor, key: ApiKeyInput): Promise<ApiKeySecret>;
  /**
   * A new key that may do the same; the old one stays good for `overlap` seconds. Fails with `forbidden` as `give`, and
   * with `precondition-failed` for a key that is over, was rotated already, or replaces one that is still good: so there
   * are never more than two keys for each that the plan has.
   */
  rotate(actor: Actor, id: string, overlap: number): Promise<ApiKeySecret>;
  /**
   * The text is to be shown once: it can't be had again. Whoever issues it for somebody records that by `also`, in the
   * same transaction.
   */
  issue(
    key: NewApiKey,
    also?: (transaction: Transaction, id: string) => Promise<void>,
  ): Promise<{ readonly id: string; readonly text: string }>;
  /** Fails with `not-found`, also for another tenant's key. Other instances follow within `cacheFor`. */
  revoke(actor: Actor, id: string): Promise<void>;
  /** Who a key stands for; undefined for an unknown, expired or revoked one, and when its tenant is suspended. */
  authenticate(text: string): Promise<Principal | undefined> | Principal | undefined;
}

export interface ApiKeyOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly keys: Store<ApiKey>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly quotas: Pick<Quotas, 'take'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
  /** Milliseconds for which an instance trusts what it read: how late it learns of a revocation. */
  readonly cacheFor?: number;
}

interface Cached {
  readonly secretHash: string;
  readonly principal: Principal;
  /** The end of its trust, or of the key itself. */
  readonly until: number;
}

const maxCached = 5_000;
/** Milliseconds: how exactly the last use is known. */
const usePrecision = 3_600_000;
/** Compared with where no key was found, so that the answer takes as long. */
const noHash = '0'.repeat(64);

const viewOf = (id: string, { tenant: _tenant, secretHash: _hash, ...view }: ApiKey): ApiKeyView => ({ id, ...view });

const unknown = () => new OmniError('not-found', 'There is no such key.');
const notNow = (why: string) => new OmniError('precondition-failed', why);

export const createApiKeyService = (options: ApiKeyOptions): ApiKeyService => {
  const { database, keys, tenants, quotas, audit, clock, cacheFor = 30_000 } = options;
  const cache = new Map<string, Cached>();

  const remember = (prefix: string, entry: Cached): void => {
    const oldest = cache.size >= maxCached ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest);
    cache.set(prefix, entry);
  };

  const noteUse = async ({ id, value, revision }: Stored<ApiKey>): Promise<void> => {
    const now = clock.now();
    if (value.lastUsedAt !== undefined && now - Date.parse(value.lastUsedAt) < usePrecision) return;
    await keys.update(id, { ...value, lastUsedAt: isoTime(now) }, { revision }).catch((error: unknown) => {
      // Somebody else has noted it, or changed the key: that the use is known can wait, the request can't.
      if (!isOmniError(error, 'revision-conflict')) throw error;
    });
  };

  const look = async ({ prefix, secretHash }: ParsedKey): Promise<Principal | undefined> => {
    const now = clock.now();
    const found = await keys.get(prefix);
    const stored = found?.value;
    const matches = sameHash(stored?.secretHash ?? noHash, secretHash);
    if (found === undefined || stored === undefined || !matches || stored.revokedAt !== undefined) return undefined;
    const expiry = stored.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(stored.expiresAt);
    if (expiry <= now) return undefined;
    const unlessGone = (error: unknown): undefined => {
      if (!isOmniError(error, 'not-found')) throw error;
    };
    const [tenant] = await Promise.all([tenants.get(stored.tenant).catch(unlessGone), noteUse(found)]);
    if (tenant?.status !== 'active') return undefined;
    const principal: Principal = {
      actor: { tenant: stored.tenant, kind: 'key', id: prefix, scopes: new Set(stored.scopes) },
      limits: { tenant: tenant.settings.requestsPerMinute, key: stored.requestsPerMinute },
      corsOrigins: tenant.settings.corsOrigins,
    };
    remember(prefix, { secretHash, principal, until: Math.min(expiry, now + cacheFor) });
    return principal;
  };

  const record = (transaction: Transaction, actor: Actor, action: string, id: string, data: JsonObject = {}) =>
    audit.record(transaction, actor, {
      action: `security.api-key.${action}`,
      target: { type: 'api-key', id },
      outcome: 'success',
      data,
    });

  const fresh = ({ tenant, name, scopes, requestsPerMinute = 3_000, expiresAt }: NewApiKey) => {
    const { prefix, secretHash, text } = generateKey();
    const value: ApiKey = {
      tenant,
      name,
      secretHash,
      scopes: [...scopes],
      requestsPerMinute,
      createdAt: isoTime(clock.now()),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    };
    return { id: prefix, text, value };
  };

  const isOver = ({ expiresAt }: ApiKey): boolean => expiresAt !== undefined && Date.parse(expiresAt) <= clock.now();

  const requireRotatable = async (key: ApiKey): Promise<void> => {
    if (isOver(key)) throw notNow('This key has expired. Issue a new one.');
    if (key.rotatedTo !== undefined) throw notNow('This key was rotated already. Rotate the one that replaces it.');
    const before = key.rotatedFrom === undefined ? undefined : await keys.get(key.rotatedFrom);
    if (before !== undefined && !isOver(before.value)) {
      throw notNow('The key that this one replaces is still good. Revoke it first, or wait for its end.');
    }
  };

  return {
    list: async ({ tenant }, request) => {
      const page = await keys.query({
        where: [{ field: 'tenant', op: '==', value: tenant }],
        orderBy: { field: 'createdAt', order: 'desc' },
        ...request,
      });
      return { ...page, items: page.items.map(({ id, value }) => viewOf(id, value)) };
    },
    give: async (actor, { expiresAt, ...input }) => {
      requireScopes(actor, input.scopes);
      const expiry = expiresAt === undefined ? {} : { expiresAt };
      const { id, text, value } = fresh({ tenant: actor.tenant, ...input, ...expiry });
      await quotas.take(actor.tenant, 'apiKeys', async () => async (transaction) => {
        transaction.create(keys, id, value);
        await record(transaction, actor, 'issued', id, { scopes: value.scopes });
      });
      return { ...viewOf(id, value), key: text };
    },
    rotate: async (actor, id, overlap) => {
      const stored = await keys.get(id);
      if (stored?.value.tenant !== actor.tenant || stored.value.revokedAt !== undefined) throw unknown();
      // Who rotates holds the new key: it must not be a way to more scopes.
      requireScopes(actor, stored.value.scopes);
      await requireRotatable(stored.value);
      const { expiresAt, name, scopes, requestsPerMinute, tenant } = stored.value;
      const ending = isoTime(clock.now() + overlap * 1_000);
      const ends = expiresAt !== undefined && expiresAt < ending ? expiresAt : ending;
      const next = fresh({
        tenant,
        name,
        scopes,
        requestsPerMinute,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
      const made: ApiKey = { ...next.value, rotatedFrom: id };
      await database.transaction(async (transaction) => {
        transaction.create(keys, next.id, made);
        const value = { ...stored.value, expiresAt: ends, rotatedTo: next.id };
        transaction.update(keys, id, value, { revision: stored.revision });
        await record(transaction, actor, 'rotated', id, { rotatedTo: next.id });
      });
      cache.delete(id);
      return { ...viewOf(next.id, made), key: next.text };
    },
    issue: async (key, also = async () => {}) => {
      const { id, text, value } = fresh(key);
      await database.transaction(async (transaction) => {
        transaction.create(keys, id, value);
        await also(transaction, id);
      });
      return { id, text };
    },
    revoke: async (actor, id) => {
      // A transaction rather than a revision: a key in use is noted as used meanwhile, and must be revoked all the same.
      await database.transaction(async (transaction) => {
        const stored = await transaction.get(keys, id);
        if (stored?.value.tenant !== actor.tenant) throw unknown();
        const now = isoTime(clock.now());
        const { revokedAt = now, expiresAt = now } = stored.value;
        // Expired as well, so that it counts no more.
        const ended = { revokedAt, expiresAt: expiresAt < now ? expiresAt : now };
        transaction.update(keys, id, { ...stored.value, ...ended });
        if (stored.value.revokedAt === undefined) await record(transaction, actor, 'revoked', id);
      });
      cache.delete(id);
    },
    authenticate: (text) => {
      const parsed = parseKey(text);
      if (parsed === undefined) return undefined;
      const cached = cache.get(parsed.prefix);
      if (cached !== undefined && cached.until > clock.now()) {
        // A wrong secret for a known prefix is as wrong as an unknown one, and costs no store read.
        return sameHash(cached.secretHash, parsed.secretHash) ? cached.principal : undefined;
      }
      return look(parsed);
    },
  };
};
