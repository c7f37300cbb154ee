import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as z from 'zod';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { Database, Store, Stored } from '../../store/store.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import { clockTolerance, maxTokenAge } from './access-token.schema.ts';
import type { Protector } from './protector.ts';
import type { SigningKey } from './signing-key.schema.ts';

/** A public key as the JWKS endpoint shows it (RFC 7517, RFC 8037). */
export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly alg: 'EdDSA';
  readonly use: 'sig';
  readonly kid: string;
  readonly x: string;
}

export interface SigningKeys {
  /** The key that signs now. The first use ever makes it; concurrent first users get one and the same. */
  current(): Promise<{ readonly kid: string; readonly key: KeyObject }>;
  /** All keys whose tokens may be live, and the one to come. */
  published(): Promise<readonly PublicKey[]>;
  /**
   * Makes the next key where the newest is at least `olderThan` milliseconds old. It signs once every verifier knows
   * it; the one before stays published until its last token has expired. Returns the newest key's id.
   */
  rotate(options: { readonly olderThan: number }): Promise<string>;
}

export interface SigningKeysOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly keys: Store<SigningKey>;
  readonly protector: Protector;
  /** Keys are the platform's, so making them is in its own log. */
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

/** Milliseconds for which verifiers keep the published keys. */
export const publishedFor = 10 * 60_000;
/** Milliseconds between a key's publication and its first signature. */
const lead = publishedFor + 5 * 60_000;
/** Milliseconds after which a signer looks for a newer key. Shorter than the lead, so that none is missed. */
const lookAgain = 60_000;

const numberOf = (id: string): number => Number(id.split('-')[1]);
const idOf = (number: number): string => `ed25519-${number}`;
const contextOf = (id: string): string => `signing-key:${id}`;

const jwkSchema = z.object({ x: z.string(), d: z.string() });

const job = { tenant: platformTenant, kind: 'system', id: 'security.rotate-signing-key' } as const;
const firstUse = { ...job, id: 'security.signing-keys' } as const;

export const createSigningKeys = (options: SigningKeysOptions): SigningKeys => {
  const { database, keys, protector, audit, clock } = options;

  const all = async (): Promise<readonly Stored<SigningKey>[]> =>
    (await keys.query({ limit: 1_000 })).items.toSorted((a, b) => numberOf(a.id) - numberOf(b.id));

  const generate = async (id: string, activeFrom: number): Promise<SigningKey> => {
    const { x, d } = jwkSchema.parse(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
    return {
      publicKey: x,
      privateKey: await protector.protect(d, contextOf(id)),
      createdAt: isoTime(clock.now()),
      activeFrom: isoTime(activeFrom),
    };
  };

  /** Whoever comes second takes what the first has made. */
  const unlessMade = async (make: () => Promise<unknown>): Promise<void> => {
    try {
      await make();
    } catch (error) {
      if (!isOmniError(error, 'already-exists') && !isOmniError(error, 'revision-conflict')) throw error;
    }
  };

  const known = async (): Promise<readonly Stored<SigningKey>[]> => {
    const found = await all();
    if (found.length > 0) return found;
    const id = idOf(1);
    const first = await generate(id, clock.now());
    await unlessMade(() =>
      database.transaction(async (transaction) => {
        transaction.create(keys, id, first);
        const target = { type: 'signing-key', id };
        await audit.record(transaction, firstUse, {
          action: 'security.signing-key.created',
          target,
          outcome: 'success',
        });
      }),
    );
    return all();
  };

  const open = async ({ id, value }: Stored<SigningKey>): Promise<KeyObject> => {
    const d = await protector.unprotect(value.privateKey, contextOf(id));
    return createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: value.publicKey, d } });
  };

  let opened: Promise<{ readonly kid: string; readonly key: KeyObject }> | undefined;
  let until = 0;

  const choose = async () => {
    const found = await known();
    const newest = found.findLast(({ value }) => Date.parse(value.activeFrom) <= clock.now()) ?? found[0];
    if (newest === undefined) throw new OmniError('unavailable', 'There is no signing key.');
    return { kid: newest.id, key: await open(newest) };
  };

  return {
    current: async () => {
      if (opened === undefined || until <= clock.now()) {
        until = clock.now() + lookAgain;
        opened = choose();
      }
      try {
        return await opened;
      } catch (error) {
        opened = undefined;
        throw error;
      }
    },
    published: async () =>
      (await all()).map(({ id, value }) => ({
        kty: 'OKP',
        crv: 'Ed25519',
        alg: 'EdDSA',
        use: 'sig',
        kid: id,
        x: value.publicKey,
      })),
    rotate: async ({ olderThan }) => {
      const newest = (await known()).at(-1);
      if (newest === undefined) throw new OmniError('unavailable', 'There is no signing key.');
      const now = clock.now();
      if (now - Date.parse(newest.value.createdAt) < olderThan) return newest.id;
      const id = idOf(numberOf(newest.id) + 1);
      const next = await generate(id, now + lead);
      const expiresAt = isoTime(now + lead + lookAgain + 1_000 * (maxTokenAge + clockTolerance));
      await unlessMade(() =>
        database.transaction(async (transaction) => {
          transaction.create(keys, id, next);
          transaction.update(keys, newest.id, { ...newest.value, expiresAt }, { revision: newest.revision });
          await audit.record(transaction, job, {
            action: 'security.signing-key.rotated',
            target: { type: 'signing-key', id },
            outcome: 'success',
            data: { before: newest.id, activeFrom: next.activeFrom },
          });
        }),
      );
      return id;
    },
  };
};
