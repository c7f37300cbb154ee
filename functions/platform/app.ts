import {
  messageCollection,
  messagingEraser,
  noteSmsReport,
  sendEmail,
  sendSms,
  suppressionCollection,
  templateCollection,
} from '#shared/messaging/index.ts';
import {
  brandingCollection,
  dailyDigest,
  domainCheckCollection,
  domainChecks,
  domainHostCollection,
  domainJobs,
  erasureCollection,
  erasureJobs,
  fanOutDigest,
  invitationCollection,
  lifecycleJobs,
  outboxSweep,
  pageTemplateCollection,
  platformEraser,
  startDigest,
  sweepOutbox,
  tenantLifecycle,
  tombstoneCollection,
  transferCollection,
} from '#shared/platform/index.ts';
import { groundEraser } from '#shared/runtime/erasers.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { groundCollections } from '#shared/runtime/runtime.ts';
import { tenant } from './routes/tenant.ts';
import { tenantBranding } from './routes/tenant-branding.ts';
import { tenantDomains } from './routes/tenant-domains.ts';
import { tenantInvitations } from './routes/tenant-invitations.ts';
import { tenantMembers } from './routes/tenant-members.ts';
import { tenantPages } from './routes/tenant-pages.ts';
import { tenantSandboxes } from './routes/tenant-sandboxes.ts';
import type { PlatformServices } from './services.ts';

export const platform = defineFunction<PlatformServices>({
  name: 'platform',
  paths: ['/api/v1/tenant'],
  routes: (services) => [
    ...tenant(services),
    ...tenantMembers(services),
    ...tenantInvitations(services),
    ...tenantSandboxes(services),
    ...tenantDomains(services),
    ...tenantBranding(services),
    ...tenantPages(services),
  ],
  jobs: [
    sweepOutbox,
    startDigest,
    fanOutDigest,
    sendEmail,
    sendSms,
    noteSmsReport,
    ...lifecycleJobs,
    ...erasureJobs,
    ...domainJobs,
    platformEraser.job,
    messagingEraser.job,
    groundEraser.job,
  ],
  schedules: [outboxSweep, dailyDigest, tenantLifecycle, domainChecks],
  collections: [
    ...groundCollections,
    messageCollection,
    suppressionCollection,
    templateCollection,
    invitationCollection,
    transferCollection,
    domainHostCollection,
    domainCheckCollection,
    brandingCollection,
    pageTemplateCollection,
    erasureCollection,
    tombstoneCollection,
  ],
  secrets: ['SMTP_URL', 'TWILIO_AUTH_TOKEN'],
});
