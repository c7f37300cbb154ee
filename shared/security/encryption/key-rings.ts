import { randomBytes } from 'node:crypto';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import { type DataKey, dataKeyOf } from './cipher.ts';
import type { KeyRing, KeyRingView, RingName } from './data-key.schema.ts';
import { expiringMap } from './expiring-map.ts';
import type { KeyManagement } from './key-management.ts';

/** Whose key: the tenant's for a purpose, or one person's. */
export type KeyOwner = RingName | { readonly subject: string };

/**
 * The keys of tenants. They are stored wrapped, and known unwrapped to a process for a while. Errors: as of key
 * management and store.
 */
export interface KeyRings {
  /** The key that encrypts now. It is made at the first use. Fails with `shredded` where its owner's was destroyed. */
  current(tenant: string, owner: KeyOwner): Promise<DataKey>;
  /** Every version that can still decrypt, the newest first. */
  live(tenant: string, owner: KeyOwner): Promise<readonly DataKey[]>;
  /** By the id in a ciphertext. */
  find(tenant: string, keyId: string): Promise<DataKey | 'destroyed' | 'unknown'>;
  view(tenant: string, name: RingName): Promise<KeyRingView>;
  /** Forgets which versions there are, for who must not miss one that is less than `freshFor` old. */
  refresh(tenant: string, name: RingName): void;
  /**
   * Adds a version in a transaction, from which on it is current; other instances follow within `freshFor`. Fails with
   * `precondition-failed` where there are too many.
   */
  prepareRotation(
    tenant: string,
    name: RingName,
  ): Promise<{
    readonly version: number;
    write(transaction: Transaction): void;
  }>;
  /** Destroys all versions below `version`: what they encrypted is lost. Destroying again changes nothing. */
  destroyBelow(tenant: string, name: RingName, version: number): Promise<void>;
  /** Destroys a subject's key for good, also where none was made yet. Idempotent. */
  shred(tenant: string, subject: string): Promise<void>;
}

export interface KeyRingsOptions {
  readonly rings: TenantStore<KeyRing>;
  readonly management: KeyManagement;
  readonly clock: Clock;
}

/** Milliseconds after which every instance knows of a rotation or destruction. */
export const freshFor = 60_000;
/** Milliseconds for which a process keeps an unwrapped key, unless it learns that it was destroyed. */
const unwrappedFor = 15 * 60_000;
const maxKept = 5_000;
/** A search by blind index asks for every version's hash, and a query has 30 alternatives at most. */
const maxLive = 10;
const keyBytes = 32;
const attempts = 5;

/** The name says nothing of the subject, because it stands in every ciphertext. */
const nameOf = (owner: KeyOwner): string =>
  typeof owner === 'string' ? owner : derivedId('subject', 'encryption', owner.subject);

const isAlive = ({ wrapped }: KeyRing['versions'][number]): boolean => wrapped !== undefined;

const destroyed = (versions: KeyRing['versions'], at: string): KeyRing['versions'] =>
  versions.map(({ version, createdAt, destroyedAt }) => ({ version, createdAt, destroyedAt: destroyedAt ?? at }));

export const createKeyRings = ({ rings, management, clock }: KeyRingsOptions): KeyRings => {
  const known = expiringMap<KeyRing | undefined>({ clock, ttl: freshFor, max: maxKept });
  const unwrapped = expiringMap<DataKey>({ clock, ttl: unwrappedFor, max: maxKept });

  const cacheKey = (tenant: string, name: string): string => `${tenant}/${name}`;
  const contextOf = (tenant: string, name: string, version: number): string =>
    JSON.stringify(['omni data key 1', tenant, name, version]);

  const newVersion = async (tenant: string, name: string, version: number): Promise<KeyRing['versions'][number]> => ({
    version,
    createdAt: isoTime(clock.now()),
    wrapped: await management.wrap(randomBytes(keyBytes), contextOf(tenant, name, version)),
  });

  /** The stored key, or a new one. Of several processes that make one at once, one wins, and all take the winner's. */
  const ensure = async (tenant: string, owner: KeyOwner): Promise<Stored<KeyRing>> => {
    const name = nameOf(owner);
    const store = rings.of(tenant);
    const there = await store.get(name);
    if (there !== undefined) return there;
    const ring: KeyRing = {
      kind: typeof owner === 'string' ? 'tenant' : 'subject',
      versions: [await newVersion(tenant, name, 1)],
    };
    try {
      return await store.create(name, ring);
    } catch (error) {
      const winner = isOmniError(error, 'already-exists') ? await store.get(name) : undefined;
      if (winner === undefined) throw error;
      return winner;
    }
  };

  const open = (tenant: string, name: string, { version, wrapped = '' }: KeyRing['versions'][number]) =>
    unwrapped.get(`${cacheKey(tenant, name)}~${version}`, async () =>
      dataKeyOf(`${name}~${version}`, await management.unwrap(wrapped, contextOf(tenant, name, version))),
    );

  const forget = (tenant: string, name: string, versions: KeyRing['versions']): void => {
    known.forget(cacheKey(tenant, name));
    for (const { version } of versions) unwrapped.forget(`${cacheKey(tenant, name)}~${version}`);
  };

  const live: KeyRings['live'] = async (tenant, owner) => {
    const name = nameOf(owner);
    let ring = await known.get(cacheKey(tenant, name), async () => (await ensure(tenant, owner)).value);
    if (ring === undefined) {
      // Somebody had looked for a ciphertext's key before the first one was made.
      known.forget(cacheKey(tenant, name));
      ring = (await ensure(tenant, owner)).value;
    }
    return Promise.all(
      ring.versions
        .filter(isAlive)
        .toReversed()
        .map((version) => open(tenant, name, version)),
    );
  };

  /** Changes a key's stored versions, again where somebody else did meanwhile. Undefined leaves them. */
  const change = async (
    tenant: string,
    owner: KeyOwner,
    next: (versions: KeyRing['versions']) => KeyRing['versions'] | undefined,
  ): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      const { id, value, revision } = await ensure(tenant, owner);
      const versions = next(value.versions);
      try {
        if (versions !== undefined) await rings.of(tenant).update(id, { ...value, versions }, { revision });
        return forget(tenant, id, value.versions);
      } catch (error) {
        if (!isOmniError(error, 'revision-conflict') || attempt === attempts) throw error;
      }
    }
  };

  return {
    live,
    current: async (tenant, owner) => {
      const [newest] = await live(tenant, owner);
      if (newest === undefined) throw new OmniError('shredded', 'The key was destroyed, and with it all it encrypted.');
      return newest;
    },
    find: async (tenant, keyId) => {
      const [name = '', number] = keyId.split('~');
      const look = async () => {
        const ring = await known.get(cacheKey(tenant, name), async () => (await rings.of(tenant).get(name))?.value);
        return ring?.versions.find((one) => String(one.version) === number);
      };
      let version = await look();
      if (version === undefined) {
        // Another instance may have rotated since.
        known.forget(cacheKey(tenant, name));
        version = await look();
      }
      if (version === undefined) return 'unknown';
      return isAlive(version) ? open(tenant, name, version) : 'destroyed';
    },
    view: async (tenant, name) => {
      const versions = (await rings.of(tenant).get(name))?.value.versions.toReversed() ?? [];
      const stateOf = (version: KeyRing['versions'][number], i: number) =>
        isAlive(version) ? (i === 0 ? 'current' : 'readable') : 'destroyed';
      return {
        name,
        versions: versions.map((version, i) => {
          const { wrapped: _, ...told } = version;
          return { ...told, state: stateOf(version, i) };
        }),
      };
    },
    refresh: (tenant, name) => known.forget(cacheKey(tenant, name)),
    prepareRotation: async (tenant, name) => {
      const { id, value, revision } = await ensure(tenant, name);
      if (value.versions.filter(isAlive).length >= maxLive) {
        throw new OmniError('precondition-failed', 'There are too many versions: retire the older ones first.');
      }
      const version = value.versions.length + 1;
      const versions = [...value.versions, await newVersion(tenant, id, version)];
      return {
        version,
        write: (transaction) => {
          transaction.update(rings.of(tenant), id, { ...value, versions }, { revision });
          known.forget(cacheKey(tenant, id));
        },
      };
    },
    destroyBelow: (tenant, name, version) =>
      change(tenant, name, (versions) => {
        const [old, rest] = [
          versions.filter((one) => one.version < version),
          versions.filter((one) => one.version >= version),
        ];
        if (rest.length === 0) throw new Error('The current version of a tenant key is never destroyed.');
        return old.some(isAlive) ? [...destroyed(old, isoTime(clock.now())), ...rest] : undefined;
      }),
    shred: (tenant, subject) =>
      change(tenant, { subject }, (versions) =>
        versions.some(isAlive) ? destroyed(versions, isoTime(clock.now())) : undefined,
      ),
  };
};
