import { type Actor, requireScopes } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { AddOne } from '../access/bounded.ts';
import { sameHash } from '../api-keys/api-key.format.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import type { IssuedToken, IssueToken } from '../tokens/access-tokens.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import { isUsable, type ServiceAccount, type ServiceAccountView } from './service-account.schema.ts';

export interface NewServiceAccount {
  readonly name: string;
  readonly scopes: readonly string[];
  /** ISO 8601. */
  readonly expiresAt?: string | undefined;
}

/** With the client secret, which is shown this once. */
export interface ServiceAccountSecret extends ServiceAccountView {
  readonly clientSecret: string;
}

export interface ServiceAccountService {
  /** Fails with `forbidden` for scopes that the actor lacks, and with `precondition-failed` where there are 100. */
  create(actor: Actor, account: NewServiceAccount): Promise<ServiceAccountSecret>;
  list(actor: Actor, request: PageRequest): Promise<Page<ServiceAccountView>>;
  /** A new secret; the old one stays good for `overlap` seconds. With none, its tokens are refused as well. */
  rotate(actor: Actor, id: string, overlap: number): Promise<ServiceAccountSecret>;
  /** Fails with `not-found`. Its tokens are refused within a minute. */
  remove(actor: Actor, id: string): Promise<void>;
  /** Client credentials (RFC 6749, section 4.4). Fails with `unauthenticated`. */
  token(credentials: { readonly clientId: string; readonly clientSecret: string }): Promise<IssuedToken>;
}

export interface ServiceAccountOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly accounts: TenantStore<ServiceAccount>;
  readonly addOne: AddOne;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly issue: IssueToken;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Milliseconds: how exactly the last use is known. */
const usePrecision = 3_600_000;
const idPattern = /^([a-z0-9-]{2,63})\.(sva_[0-9A-Za-z]{1,40})$/;
/** Compared with where there is no account, so that the answer takes as long. */
const noHash = '0'.repeat(64);

const bound = { what: 'service accounts', limit: 100 };

const unknown = () => new OmniError('not-found', 'There is no such service account.');

export const createServiceAccountService = (options: ServiceAccountOptions): ServiceAccountService => {
  const { database, accounts, addOne, tenants, issue, audit, newId, clock } = options;

  const record = (transaction: Transaction, actor: Actor, action: string, id: string) =>
    audit.record(transaction, actor, {
      action: `security.service-account.${action}`,
      target: { type: 'service-account', id },
      outcome: 'success',
    });

  const viewOf = (tenant: string, { id, value }: Pick<Stored<ServiceAccount>, 'id' | 'value'>): ServiceAccountView => {
    const { secretHash: _hash, previous: _previous, epoch: _epoch, ...view } = value;
    return { id, clientId: `${tenant}.${id}`, ...view };
  };

  const isRight = ({ secretHash, previous }: ServiceAccount, hash: string): boolean => {
    const old = previous !== undefined && Date.parse(previous.until) > clock.now() ? previous.secretHash : noHash;
    // Both are compared always.
    return [sameHash(secretHash, hash), sameHash(old, hash)].includes(true);
  };

  const noteUse = async (tenant: string, { id, value, revision }: Stored<ServiceAccount>): Promise<void> => {
    const now = clock.now();
    if (value.lastUsedAt !== undefined && now - Date.parse(value.lastUsedAt) < usePrecision) return;
    await accounts
      .of(tenant)
      .update(id, { ...value, lastUsedAt: isoTime(now) }, { revision })
      .catch((error: unknown) => {
        if (!isOmniError(error, 'revision-conflict')) throw error;
      });
  };

  return {
    create: async (actor, { name, scopes, expiresAt }) => {
      requireScopes(actor, scopes);
      const id = newId('sva');
      const clientSecret = newSecret();
      const value: ServiceAccount = {
        name,
        scopes: [...scopes],
        secretHash: hashOf(clientSecret),
        epoch: 0,
        createdAt: isoTime(clock.now()),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      };
      const store = accounts.of(actor.tenant);
      await addOne(actor.tenant, store, bound, async (transaction) => {
        transaction.create(store, id, value);
        await record(transaction, actor, 'created', id);
      });
      return { ...viewOf(actor.tenant, { id, value }), clientSecret };
    },
    list: async ({ tenant }, request) => {
      const page = await accounts.of(tenant).query(request);
      return { ...page, items: page.items.map((item) => viewOf(tenant, item)) };
    },
    rotate: async (actor, id, overlap) => {
      const { tenant } = actor;
      const found = await accounts.of(tenant).get(id);
      if (found === undefined) throw unknown();
      // Who rotates holds the secret then: it must not be a way to more scopes.
      requireScopes(actor, found.value.scopes);
      const clientSecret = newSecret();
      const { previous: _, secretHash, epoch, ...kept } = found.value;
      const value: ServiceAccount = {
        ...kept,
        secretHash: hashOf(clientSecret),
        epoch: epoch + (overlap === 0 ? 1 : 0),
        ...(overlap === 0 ? {} : { previous: { secretHash, until: isoTime(clock.now() + overlap * 1_000) } }),
      };
      await database.transaction(async (transaction) => {
        transaction.update(accounts.of(tenant), id, value, { revision: found.revision });
        await record(transaction, actor, 'rotated', id);
      });
      return { ...viewOf(tenant, { id, value }), clientSecret };
    },
    remove: (actor, id) =>
      database.transaction(async (transaction) => {
        const store = accounts.of(actor.tenant);
        if ((await transaction.get(store, id)) === undefined) throw unknown();
        transaction.delete(store, id);
        await record(transaction, actor, 'removed', id);
      }),
    token: async ({ clientId, clientSecret }) => {
      const [, tenant = '', id = ''] = idPattern.exec(clientId) ?? [];
      const found = id === '' ? undefined : await accounts.of(tenant).get(id);
      const matches = isRight(found?.value ?? nobody, hashOf(clientSecret));
      if (found === undefined || !matches || !isUsable(found.value, clock.now())) {
        throw new OmniError('unauthenticated', 'The client is not known, or its secret is not right.');
      }
      const { status } = await tenants.get(tenant);
      if (status !== 'active') throw new OmniError('unauthenticated', 'The tenant is suspended.');
      await noteUse(tenant, found);
      return issue({ sub: id, client_id: clientId, tenant, roles: [], epoch: found.value.epoch });
    },
  };
};

const nobody: ServiceAccount = { name: '', scopes: ['-'], secretHash: noHash, epoch: 0, createdAt: '' };
