import type { ErasureServices } from '#shared/erasure/index.ts';
import {
  createMessageService,
  createTemplateService,
  type MessageJobServices,
  mailboxMailer,
  mailboxSms,
  messageCollection,
  openMailbox,
  smtpMailer,
  suppressionCollection,
  templateCollection,
  twilioSms,
  unconfigured,
} from '#shared/messaging/index.ts';
import {
  type BrandingService,
  brandingCollection,
  createBrandingService,
  createDomainService,
  createInvitationService,
  createLifecycle,
  createMailTemplateService,
  createMemberService,
  createPageService,
  createSandboxService,
  createTenantAdmin,
  createTenantCreation,
  createTenantRecords,
  customDomainCollection,
  type DomainJobServices,
  domainCheckCollection,
  domainHostCollection,
  type ErasureJobServices,
  erasureCollection,
  invitationCollection,
  type LifecycleJobServices,
  nodeDns,
  pageTemplateCollection,
  type TimerServices,
  tenantCollection,
  tombstoneCollection,
  transferCollection,
} from '#shared/platform/index.ts';
import { erasers } from '#shared/runtime/erasers.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import {
  apiKeyCollection,
  authSettingsCollection,
  couldStillGive,
  createAuditing,
  createAuthSettingsService,
  createLinks,
  createMembership,
  createOwnerGuard,
  createPasswordCheck,
  createPasswordHasher,
  createSecurityPolicyService,
  createUserService,
  hashOf,
  identityLinkCollection,
  keyEraser,
  linkText,
  mayStillGive,
  newSecret,
  ownerGateCollection,
  parseLink,
  roleCollection,
  securityPolicyCollection,
  serviceAccountCollection,
  subjectCipher,
  userCollection,
} from '#shared/security/index.ts';

const openMailer = ({ config: { mail, environment }, clock }: Runtime) => {
  if (mail.kind === 'local') return mailboxMailer({ mailbox: openMailbox(mail.mailbox), clock });
  if (mail.url === undefined) return unconfigured('Mail');
  return smtpMailer({ url: mail.url, from: mail.from, requireTls: environment !== 'local' });
};

const openSmsSender = ({ config: { mail, twilio }, clock }: Runtime) => {
  const { accountSid, authToken, from, statusUrl } = twilio;
  if (mail.kind === 'local') return mailboxSms({ mailbox: openMailbox(mail.mailbox), clock });
  if (accountSid === undefined || authToken === undefined || from === undefined) return unconfigured('Twilio');
  return twilioSms({ accountSid, authToken, from, statusUrl, clock });
};

const openMessages = (runtime: Runtime, branding: Pick<BrandingService, 'of'>) => {
  const { database, clock, logger, metrics } = runtime;
  return createMessageService({
    messages: database.tenants(messageCollection),
    suppressions: database.tenants(suppressionCollection),
    templates: createTemplateService({ templates: database.tenants(templateCollection), logger }),
    brandingOf: branding.of,
    mailer: openMailer(runtime),
    smsSender: openSmsSender(runtime),
    clock,
    logger,
    metrics,
  });
};

/** What tenant administration needs of identity: accounts, roles, links and the audit log. */
const openPeople = (runtime: Runtime) => {
  const { config, database, cache, makeEvent, newId, clock, roles, protector, blobs, lockedBlobs: rootBlobs } = runtime;
  const userStore = database.tenants(userCollection);
  const guard = createOwnerGuard({ gates: database.tenants(ownerGateCollection), users: userStore });
  const users = createUserService({ database, users: userStore, roles, guard, makeEvent, newId, clock });
  const { audit } = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(runtime.keyRings) });
  const settings = createAuthSettingsService({
    database,
    audit,
    settings: database.tenants(authSettingsCollection),
    roles,
    cache,
    protector,
  });
  const policies = database.tenants(securityPolicyCollection);
  const links = createLinks({
    database,
    links: database.tenants(identityLinkCollection),
    users: userStore,
    settings,
    makeEvent,
    clock,
    defaultAppUrl: config.appUrl,
  });
  const membership = createMembership({
    users: userStore,
    drafts: users,
    roles,
    guard,
    links,
    policy: createSecurityPolicyService({ database, policies, audit, cache, clock }),
    passwords: createPasswordHasher(),
    checkPassword: createPasswordCheck(),
    makeEvent,
    newId,
    clock,
  });
  const appUrlOf = async (tenant: string): Promise<string> =>
    ((await settings.of(tenant)).appUrl ?? config.appUrl).replace(/\/$/, '');
  const giving = {
    users: userStore,
    keys: database.platform(apiKeyCollection),
    serviceAccounts: database.tenants(serviceAccountCollection),
    roles: database.tenants(roleCollection),
    clock,
  };
  return {
    users,
    audit,
    membership,
    appUrlOf,
    mayStillGive: mayStillGive(giving),
    couldStillGive: couldStillGive(giving),
  };
};

const openTenancy = (runtime: Runtime) => {
  const { database, tenants: tenantService, apiKeys, roles, quotas, makeEvent, newId, clock } = runtime;
  const people = openPeople(runtime);
  const tenants = database.platform(tenantCollection);
  const erasures = database.platform(erasureCollection);
  const checks = database.platform(domainCheckCollection);
  const secrets = { create: newSecret, hash: hashOf, text: linkText, parse: parseLink };
  const branding = createBrandingService({
    database,
    brandings: database.tenants(brandingCollection),
    tenants: tenantService,
    audit: people.audit,
    cache: runtime.cache,
  });
  const templates = createTemplateService({ templates: database.tenants(templateCollection), logger: runtime.logger });
  const records = createTenantRecords({ database, tenants, audit: people.audit, clock });
  const common = { ...people, database, quotas, records, secrets, roles, makeEvent, newId, clock };
  const domains = createDomainService({
    ...common,
    domains: database.tenants(customDomainCollection),
    hosts: database.platform(domainHostCollection),
    checks,
    dns: nodeDns({ servers: runtime.config.dnsServers }),
    newSecret,
  });
  return {
    ...people,
    quotas,
    records,
    erasures,
    tenantRecords: tenants,
    tombstones: database.platform(tombstoneCollection),
    tenantAdmin: createTenantAdmin({ records, tenants: tenantService }),
    tenantCreation: createTenantCreation({ ...common, tenants }),
    sandboxes: createSandboxService({ ...common, tenants, apiKeys }),
    members: createMemberService({ ...common, transfers: database.tenants(transferCollection) }),
    invitations: createInvitationService({
      ...common,
      tenants: tenantService,
      invitations: database.tenants(invitationCollection),
    }),
    domainChecks: checks,
    domains,
    pages: createPageService({
      ...common,
      tenants: tenantService,
      pages: database.tenants(pageTemplateCollection),
      tenantOfDomain: domains.tenantOf,
      branding,
      cache: runtime.cache,
    }),
    branding,
    mailTemplates: createMailTemplateService({ ...common, branding, templates }),
    lifecycle: createLifecycle({ ...common, tenants, erasures }),
    erasers,
    keyEraser,
  };
};

export const createServices = (runtime: Runtime) => {
  const { outbox, database, tenants, makeEvent, clock } = runtime;
  const tenancy = openTenancy(runtime);
  return {
    ...tenancy,
    outbox,
    database,
    tenants,
    makeEvent,
    clock,
    erasing: erasingOf(runtime),
    messages: openMessages(runtime, tenancy.branding),
  } satisfies TimerServices &
    MessageJobServices &
    ErasureServices &
    ErasureJobServices &
    LifecycleJobServices &
    DomainJobServices;
};

export type PlatformServices = ReturnType<typeof createServices>;
