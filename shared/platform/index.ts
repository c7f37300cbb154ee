export { type Tenant, tenantCollection } from './tenants/tenant.schema.ts';
export { createTenantService, type TenantService, type TenantView } from './tenants/tenant.service.ts';
export {
  dailyDigest,
  digestDue,
  fanOutDigest,
  outboxSweep,
  startDigest,
  sweepOutbox,
  type TimerServices,
} from './timers/timers.jobs.ts';
