export { brandingCollection, brandingInputSchema } from './branding/branding.schema.ts';
export { type BrandingService, createBrandingService } from './branding/branding.service.ts';
export { createMailTemplateService, type MailTemplateService } from './branding/mail-template.service.ts';
export type { DnsTexts } from './domains/dns.ts';
export { type DomainJobServices, domainChecks, domainJobs } from './domains/domain.jobs.ts';
export {
  customDomainCollection,
  customDomainViewSchema,
  domainCheckCollection,
  domainHostCollection,
} from './domains/domain.schema.ts';
export { createDomainService, type DomainService } from './domains/domain.service.ts';
export { nodeDns } from './domains/node-dns.ts';
export { type ErasureJobServices, erasureJobs } from './erasure/erasure.jobs.ts';
export { type Erasure, erasureCollection } from './erasure/erasure.schema.ts';
export { acceptedSchema, invitationCollection, invitationViewSchema } from './invitations/invitation.schema.ts';
export { createInvitationService, type InvitationService } from './invitations/invitation.service.ts';
export { type LifecycleJobServices, lifecycleJobs, tenantLifecycle } from './lifecycle/lifecycle.jobs.ts';
export { createLifecycle, graceDays, type LifecycleService } from './lifecycle/lifecycle.service.ts';
export { createMemberService, type MemberService } from './members/member.service.ts';
export { transferCollection, transferViewSchema } from './members/transfer.schema.ts';
export { pageKindSchema, pageTemplateCollection, pageTemplateSchema } from './pages/page.schema.ts';
export { createPageService, type PageService, pagePolicy } from './pages/page.service.ts';
export { limitsOf, plans, planViewSchema, tenantPlanSchema } from './plans/plan.schema.ts';
export { platformEraser } from './platform.eraser.ts';
export {
  createQuotas,
  dailyCountCollection,
  type Quotas,
  quotaGateCollection,
  quotaUsageSchema,
} from './quotas/quota.service.ts';
export { createSandboxService, type SandboxService } from './tenants/sandbox.service.ts';
export { createTenantAdmin, type TenantAdmin } from './tenants/tenant.admin.ts';
export { createTenantCreation, type TenantCreation } from './tenants/tenant.creation.ts';
export { createTenantRecords, type TenantRecords } from './tenants/tenant.records.ts';
export {
  slugSchema,
  type Tenant,
  tenantCollection,
  tenantNameSchema,
  tenantSettingsInputSchema,
  tenantViewSchema,
  tombstoneCollection,
} from './tenants/tenant.schema.ts';
export { createTenantService, type TenantService, type TenantView } from './tenants/tenant.service.ts';
export { erasedTenants, type Standing, type StandingOf, tenantStanding } from './tenants/tenant.standing.ts';
export {
  dailyDigest,
  digestDue,
  fanOutDigest,
  outboxSweep,
  startDigest,
  sweepOutbox,
  type TimerServices,
} from './timers/timers.jobs.ts';
