import { defineEraser } from '../erasure/index.ts';
import { brandingCollection } from './branding/branding.schema.ts';
import { customDomainCollection, domainCheckCollection, domainHostCollection } from './domains/domain.schema.ts';
import { invitationCollection } from './invitations/invitation.schema.ts';
import { transferCollection } from './members/transfer.schema.ts';
import { pageTemplateCollection } from './pages/page.schema.ts';
import { dailyCountCollection, quotaGateCollection } from './quotas/quota.service.ts';

/** The tenant's own record is none of it: the tombstone takes its place at the very end. */
export const platformEraser = defineEraser({
  domain: 'platform',
  collections: [
    invitationCollection,
    transferCollection,
    quotaGateCollection,
    dailyCountCollection,
    customDomainCollection,
    domainHostCollection,
    domainCheckCollection,
    brandingCollection,
    pageTemplateCollection,
  ],
});
