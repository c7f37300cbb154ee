import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { AddOne } from '../access/bounded.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import {
  maxVersions,
  type Secret,
  type SecretValue,
  type SecretVersionState,
  type SecretView,
} from './secret.schema.ts';

export interface SecretService {
  /** Fails with `already-exists`, and with `precondition-failed` where a tenant has 1,000. */
  create(actor: Actor, name: string, value: string): Promise<SecretView>;
  /** Adds a version. Fails with `not-found`, or `revision-conflict` when another is added at the same time. */
  addVersion(actor: Actor, name: string, value: string): Promise<SecretView>;
  /** By name, without values. */
  list(actor: Actor, page: PageRequest): Promise<Page<SecretView>>;
  /** Without values. Fails with `not-found`. */
  get(actor: Actor, name: string): Promise<SecretView>;
  /**
   * A version's value; without a version the newest that is enabled. Fails with `not-found`, with
   * `precondition-failed` where it is disabled, and with `shredded` where it was destroyed.
   */
  reveal(actor: Actor, name: string, version?: number): Promise<{ readonly version: number; readonly value: string }>;
  /** What is destroyed stays so: then it fails with `shredded`, but destroying again succeeds. */
  setState(actor: Actor, name: string, version: number, state: SecretVersionState): Promise<SecretView>;
}

export interface SecretServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly secrets: TenantStore<Secret>;
  readonly addOne: AddOne;
  readonly values: TenantStore<SecretValue>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

const viewOf = ({ id, value: { createdAt, versions } }: Pick<Stored<Secret>, 'id' | 'value'>): SecretView => ({
  name: id,
  createdAt,
  versions: versions.toReversed(),
});

const bound = { what: 'secrets', limit: 1_000 };

const noVersion = (): OmniError => new OmniError('not-found', 'There is no such version of this secret.');
const gone = (): OmniError => new OmniError('shredded', 'This version of the secret was destroyed.');

export const createSecretService = (options: SecretServiceOptions): SecretService => {
  const { database, secrets, addOne, values, audit, clock } = options;
  const record = (transaction: Transaction, actor: Actor, action: string, name: string, version: number) =>
    audit.record(transaction, actor, {
      action: `security.secret.${action}`,
      target: { type: 'secret', id: name },
      outcome: 'success',
      data: { version },
    });
  const find = async (tenant: string, name: string): Promise<Stored<Secret>> => {
    const stored = await secrets.of(tenant).get(name);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such secret.');
    return stored;
  };
  const valueId = (name: string, version: number): string => `${name}~${version}`;

  /** Writes a secret's versions, and whatever goes with them, if nobody else did since. */
  const change = async (
    tenant: string,
    { id, value, revision }: Stored<Secret>,
    versions: Secret['versions'],
    more: (transaction: Transaction) => Promise<unknown>,
  ): Promise<SecretView> => {
    const changed = { ...value, versions };
    await database.transaction(async (transaction) => {
      transaction.update(secrets.of(tenant), id, changed, { revision });
      await more(transaction);
    });
    return viewOf({ id, value: changed });
  };

  return {
    create: async (actor, name, value) => {
      const { tenant } = actor;
      const createdAt = isoTime(clock.now());
      const secret: Secret = { createdAt, versions: [{ version: 1, state: 'enabled', createdAt }] };
      const store = secrets.of(tenant);
      await addOne(tenant, store, bound, async (transaction) => {
        transaction.create(store, name, secret);
        transaction.create(values.of(tenant), valueId(name, 1), { value });
        await record(transaction, actor, 'created', name, 1);
      });
      return viewOf({ id: name, value: secret });
    },
    addVersion: async (actor, name, value) => {
      const { tenant } = actor;
      const stored = await find(tenant, name);
      const { versions } = stored.value;
      if (versions.length >= maxVersions) {
        throw new OmniError('precondition-failed', `A secret has at most ${maxVersions} versions. Make a new one.`);
      }
      const version = versions.length + 1;
      const added = { version, state: 'enabled', createdAt: isoTime(clock.now()) } as const;
      return change(tenant, stored, [...versions, added], async (transaction) => {
        transaction.create(values.of(tenant), valueId(name, version), { value });
        await record(transaction, actor, 'version-added', name, version);
      });
    },
    list: async ({ tenant }, { limit, cursor }) => {
      const page = await secrets.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    get: async ({ tenant }, name) => viewOf(await find(tenant, name)),
    reveal: async ({ tenant }, name, wanted) => {
      const { versions } = (await find(tenant, name)).value;
      const found =
        wanted === undefined
          ? versions.findLast(({ state }) => state === 'enabled')
          : versions.find(({ version }) => version === wanted);
      if (found === undefined) throw noVersion();
      if (found.state === 'destroyed') throw gone();
      if (found.state === 'disabled') throw new OmniError('precondition-failed', 'This version is disabled.');
      const stored = await values.of(tenant).get(valueId(name, found.version));
      // Destroyed since its state was read.
      if (stored === undefined) throw gone();
      return { version: found.version, value: stored.value.value };
    },
    setState: async (actor, name, version, state) => {
      const { tenant } = actor;
      const stored = await find(tenant, name);
      const there = stored.value.versions.find((one) => one.version === version);
      if (there === undefined) throw noVersion();
      if (there.state === state) return viewOf(stored);
      if (there.state === 'destroyed') throw gone();
      const destroyedAt = isoTime(clock.now());
      const versions = stored.value.versions.map((one) =>
        one.version === version ? { ...one, state, ...(state === 'destroyed' ? { destroyedAt } : {}) } : one,
      );
      return change(tenant, stored, versions, async (transaction) => {
        if (state === 'destroyed') transaction.delete(values.of(tenant), valueId(name, version));
        await record(transaction, actor, `version-${state}`, name, version);
      });
    },
  };
};
