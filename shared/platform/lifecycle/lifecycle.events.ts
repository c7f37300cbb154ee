import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { type DomainEvent, platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';

const pageSchema = z.object({
  parent: z.string(),
  requestedAt: z.iso.datetime(),
  /** When the erasure of the parent began. Theirs may begin then, too. */
  eraseAt: z.iso.datetime(),
  cursor: z.string().optional(),
});

/** A page of the sandboxes of a tenant whose erasure has begun. */
export const sandboxesDue = defineEvent('platform.tenant.sandboxes-due', pageSchema);

/** In the name of the platform: the parent may be gone before the last page. */
export const sandboxesEvent = (makeEvent: MakeEvent, data: z.infer<typeof pageSchema>): DomainEvent => {
  const { parent, eraseAt, cursor = '' } = data;
  const id = derivedId('evt', 'sandboxes-due', parent, eraseAt, cursor);
  return makeEvent(sandboxesDue, { id, tenant: platformTenant, subject: parent, data });
};
