import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { canonicalJson, type JsonObject, sha256 } from '../../kernel/json.ts';
import type { TenantStore, Transaction } from '../../store/store.ts';
import type { AuditContent, AuditEntry } from './audit-entry.schema.ts';
import type { SubjectCipher } from './subject-cipher.ts';

export type AuditActor = Pick<Actor, 'tenant' | 'id'> & { readonly kind: AuditContent['actor']['kind'] };

export interface AuditInput {
  /** `<domain>.<noun>.<past participle>`: `security.policy.updated`. */
  readonly action: string;
  readonly target: AuditContent['target'];
  readonly outcome: AuditContent['outcome'];
  /** What may be kept for good: nothing that names a person. */
  readonly data?: JsonObject;
  /** What names or describes a person. It goes when they are erased. */
  readonly personal?: JsonObject;
  /** The address from which the actor called. Personal. */
  readonly ip?: string | undefined;
  /** Whose personal data it is; the actor's where absent. */
  readonly subject?: string;
  /** ISO 8601; now where absent. */
  readonly at?: string;
  /** Only where the same fact must always be the same entry, however often it is found out. */
  readonly id?: string;
}

export interface AuditLog {
  /**
   * Adds an entry to the transaction in which the deed itself is done: one write, of a new document. To be awaited
   * inside the transaction. Returns the entry's id.
   */
  record(transaction: Transaction, actor: AuditActor, input: AuditInput): Promise<string>;
}

export interface AuditLogOptions {
  readonly entries: TenantStore<AuditEntry>;
  readonly cipher: Pick<SubjectCipher, 'seal'>;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Characters of JSON. The audited work must not fail for being described at length, so longer is named by its hash. */
const maxJson = 16_384;
const bounded = (value: JsonObject): string => {
  const json = canonicalJson(value);
  return json.length <= maxJson
    ? json
    : canonicalJson({ omitted: 'too long', length: json.length, sha256: sha256(json) });
};

/** In the place of personal data of someone who is already erased. */
export const neverSealed = 'shredded';

export const createAuditLog = ({ entries, cipher, newId, clock }: AuditLogOptions): AuditLog => {
  const personalOf = async ({ tenant, id: actor }: AuditActor, input: AuditInput, id: string) => {
    const { subject = actor, ip, personal = {} } = input;
    const all = ip === undefined ? personal : { ...personal, ip };
    if (Object.keys(all).length === 0) return null;
    try {
      return { subject, sealed: await cipher.seal(tenant, subject, bounded(all), id) };
    } catch (error) {
      if (isOmniError(error, 'shredded')) return { subject, sealed: neverSealed };
      throw error;
    }
  };

  return {
    record: async (transaction, actor, input) => {
      const id = input.id ?? newId('aud');
      const personal = await personalOf(actor, input, id);
      transaction.create(entries.of(actor.tenant), id, {
        version: 1,
        at: input.at ?? isoTime(clock.now()),
        actor: { kind: actor.kind, id: actor.id },
        action: input.action,
        target: input.target,
        outcome: input.outcome,
        data: bounded(input.data ?? {}),
        personal,
        segment: 0,
      });
      return id;
    },
  };
};
