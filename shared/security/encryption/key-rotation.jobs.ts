import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { AnyCollection } from '../../store/collection.ts';
import type { TenantStore } from '../../store/store.ts';
import type { FieldEncryption } from './field-encryption.ts';
import type { KeyRings } from './key-rings.ts';
import type { KeyRotation } from './key-rotation.schema.ts';

export interface KeyRotationJobServices {
  readonly fields: Pick<FieldEncryption, 'renewPage'>;
  readonly keys: Pick<KeyRings, 'destroyBelow' | 'refresh'>;
  readonly rotations: TenantStore<KeyRotation>;
  /** Every collection with encrypted fields. One that is left out would be lost when older versions are retired. */
  readonly encryptedCollections: readonly AnyCollection[];
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const pageDueSchema = z.object({
  /** Tells one walk through the documents from a later one for the same version. */
  walk: z.string(),
  version: z.int(),
  /** Destroy the older versions at the end. */
  retire: z.boolean(),
  collection: z.string(),
  /** The last document of the page before. */
  after: z.string().optional(),
});
type PageDue = z.infer<typeof pageDueSchema>;

/** One page of a collection is to be put under the current version of the tenant's key. */
export const renewalDue = defineEvent('security.key-renewal.due', pageDueSchema);

/** Always the same for the same page, so that a page is done once however often it is asked for. */
export const renewalEvent = (makeEvent: MakeEvent, tenant: string, data: PageDue): DomainEvent =>
  makeEvent(renewalDue, {
    id: derivedId('evt', tenant, canonicalJson(data)),
    tenant,
    subject: `fields~${data.version}`,
    data,
  });

const pageLength = 100;

/** A page a run; the next page, or collection, is an event of its own. */
export const renewEncryption = defineJob({
  name: 'security.renew-encryption',
  on: [renewalDue],
  timeout: 300,
  handle: async ({ tenant, subject, data }, { commit }, services: KeyRotationJobServices) => {
    const { fields, keys, rotations, encryptedCollections, makeEvent, clock } = services;
    const { walk, version, retire, collection, after } = data;
    const position = encryptedCollections.findIndex(({ name }) => name === collection);
    const definition = encryptedCollections[position];
    const rotation = await rotations.of(tenant).get(subject);
    if (definition === undefined || rotation === undefined) {
      throw new OmniError('invalid-request', 'There is no such collection or rotation.');
    }
    keys.refresh(tenant, 'fields');
    const page = await fields.renewPage(definition, tenant, { after, limit: pageLength });
    const following = page.next === undefined ? encryptedCollections[position + 1]?.name : collection;
    const isLast = following === undefined;
    const isComplete = rotation.value.unreadable + page.unreadable === 0;
    if (isLast && retire && isComplete) await keys.destroyBelow(tenant, 'fields', version);
    const { documents, renewed, unreadable } = page;
    const end = (): Partial<KeyRotation> => ({
      state: retire ? (isComplete ? 'retired' : 'incomplete') : 'renewed',
      finishedAt: isoTime(clock.now()),
    });
    await commit((transaction) => {
      const counts = { documents, renewed, unreadable };
      transaction.increment(rotations.of(tenant), subject, counts, isLast ? end() : {});
      if (isLast) return;
      const position = page.next === undefined ? {} : { after: page.next };
      transaction.emit(renewalEvent(makeEvent, tenant, { walk, version, retire, collection: following, ...position }));
    });
  },
});
