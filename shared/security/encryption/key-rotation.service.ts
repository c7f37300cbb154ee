import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { AnyCollection } from '../../store/collection.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { AuditInput, AuditLog } from '../audit/audit.log.ts';
import { type KeyRingView, type RingName, ringNameSchema } from './data-key.schema.ts';
import { freshFor, type KeyRings } from './key-rings.ts';
import { renewalEvent } from './key-rotation.jobs.ts';
import type { KeyRotation, KeyRotationView } from './key-rotation.schema.ts';

export interface KeyRotationService {
  /** Every key of the tenant but those of subjects. */
  list(actor: Actor): Promise<readonly KeyRingView[]>;
  /** Makes a new version and begins to renew what is stored. Fails with `precondition-failed` while one is under way. */
  rotate(actor: Actor, name: RingName): Promise<KeyRotationView>;
  /** How far it is. Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<KeyRotationView>;
  /**
   * Destroys the versions that are older than this rotation's, after a last look for what is still under them. Fails
   * with `not-found`, and with `precondition-failed` where it is not renewed or some instance may not know of it yet.
   */
  retire(actor: Actor, id: string): Promise<KeyRotationView>;
  /** Destroys the key of one person for good. It is in the audit log before it is done. Idempotent. */
  shred(actor: Actor, subject: string): Promise<void>;
}

export interface KeyRotationServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly rotations: TenantStore<KeyRotation>;
  readonly keys: Pick<KeyRings, 'view' | 'prepareRotation' | 'destroyBelow' | 'shred'>;
  readonly encryptedCollections: readonly AnyCollection[];
  readonly audit: Pick<AuditLog, 'record'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Milliseconds after which nobody writes under an older version any more, with room for slow requests and clocks. */
export const settledAfter = freshFor + 240_000;

const viewOf = ({ id, value }: Pick<Stored<KeyRotation>, 'id' | 'value'>): KeyRotationView => ({ id, ...value });

export const createKeyRotationService = (options: KeyRotationServiceOptions): KeyRotationService => {
  const { database, rotations, keys, encryptedCollections, audit, makeEvent, clock } = options;

  const record = (transaction: Transaction, actor: Actor, action: string, target: AuditInput['target'], data = {}) =>
    audit.record(transaction, actor, { action: `security.${target.type}.${action}`, target, outcome: 'success', data });

  const find = async (tenant: string, id: string): Promise<Stored<KeyRotation>> => {
    const stored = await rotations.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such rotation.');
    return stored;
  };

  /** The first page's event. What a tenant keeps itself can't be renewed here. */
  const begin = (
    transaction: Transaction,
    tenant: string,
    { name, version }: KeyRotation,
    retire: boolean,
  ): boolean => {
    const collection = encryptedCollections[0]?.name;
    if (name !== 'fields' || collection === undefined) return false;
    const walk = isoTime(clock.now());
    transaction.emit(renewalEvent(makeEvent, tenant, { walk, version, retire, collection }));
    return true;
  };

  return {
    list: ({ tenant }) => Promise.all(ringNameSchema.options.map((name) => keys.view(tenant, name))),
    get: async ({ tenant }, id) => viewOf(await find(tenant, id)),
    rotate: async (actor, name) => {
      const { tenant } = actor;
      const { version, write } = await keys.prepareRotation(tenant, name);
      const store = rotations.of(tenant);
      const last = await store.get(`${name}~${version - 1}`);
      if (last?.value.state === 'renewing' || last?.value.state === 'retiring') {
        throw new OmniError('precondition-failed', 'The rotation before this one is still under way.');
      }
      const counts = { documents: 0, renewed: 0, unreadable: 0 };
      const rotation: KeyRotation = { name, version, state: 'renewed', startedAt: isoTime(clock.now()), ...counts };
      const id = `${name}~${version}`;
      return database.transaction(async (transaction) => {
        write(transaction);
        const value: KeyRotation = begin(transaction, tenant, rotation, false)
          ? { ...rotation, state: 'renewing' }
          : rotation;
        transaction.create(store, id, value);
        await record(transaction, actor, 'rotated', { type: 'encryption-key', id: name }, { version });
        return viewOf({ id, value });
      });
    },
    retire: async (actor, id) => {
      const { tenant } = actor;
      const { value, revision } = await find(tenant, id);
      if (value.state === 'retired') return viewOf({ id, value });
      if (value.state === 'renewing' || value.state === 'retiring') {
        throw new OmniError('precondition-failed', 'This rotation is still under way.');
      }
      const since = Date.parse(value.startedAt);
      if (clock.now() < since + settledAfter) {
        throw new OmniError(
          'precondition-failed',
          `Older versions may be in use until ${isoTime(since + settledAfter)}.`,
        );
      }
      const { finishedAt: _, ...again } = { ...value, documents: 0, renewed: 0, unreadable: 0 };
      if (value.name !== 'fields') await keys.destroyBelow(tenant, value.name, value.version);
      return database.transaction(async (transaction) => {
        const state = begin(transaction, tenant, value, true) ? 'retiring' : 'retired';
        transaction.update(rotations.of(tenant), id, { ...again, state }, { revision });
        await record(transaction, actor, 'retired', { type: 'encryption-key', id: value.name }, { rotation: id });
        return viewOf({ id, value: { ...again, state } });
      });
    },
    shred: async (actor, subject) => {
      // Named by a hash: who it was must not stay in what is kept for good.
      const target = { type: 'subject-key', id: derivedId('subject', actor.tenant, subject) };
      await database.transaction((transaction) => record(transaction, actor, 'destroyed', target));
      await keys.shred(actor.tenant, subject);
    },
  };
};
