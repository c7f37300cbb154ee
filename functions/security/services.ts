import { billingEncryptedCollections } from '#shared/business/index.ts';
import { gatewayAccountCollection, paymentCollection, stripeCustomerCollection } from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import {
  type AuditLog,
  authSettingsCollection,
  bounded,
  breachedPasswords,
  countGateCollection,
  createAccountService,
  createAuditing,
  createAuthSettingsService,
  createDataLossService,
  createFlows,
  createKeyRotationService,
  createLinks,
  createMfa,
  createOidcService,
  createOwnerGuard,
  createPasskeyService,
  createPasswordCheck,
  createPasswordHasher,
  createSecretService,
  createSecurityPolicyService,
  createServiceAccountService,
  createSessions,
  createSignedUrlService,
  createSignInService,
  createSignUpService,
  createThreatDetection,
  createUserService,
  createValueEncryptionService,
  flowCollection,
  identityLinkCollection,
  ipPlaces,
  keyRotationCollection,
  mfaChallengeCollection,
  mfaProfileCollection,
  ownerGateCollection,
  passkeyCollection,
  passwordProof,
  publicFetch,
  riskProfileCollection,
  type SecurityPolicyService,
  secretCollection,
  secretValueCollection,
  securityPolicyCollection,
  serviceAccountCollection,
  sessionCollection,
  storedFileCollection,
  subjectCipher,
  tokenIssuer,
  trustedDeviceCollection,
  userCollection,
} from '#shared/security/index.ts';

/** Who people are, and how they show it. */
const createIdentity = (
  runtime: Runtime,
  policy: Pick<SecurityPolicyService, 'of' | 'withSince'>,
  audit: Pick<AuditLog, 'record'>,
) => {
  const { config, database, cache, makeEvent, newId, clock, tenants, roles, protector, signingKeys } = runtime;
  const userStore = database.tenants(userCollection);
  const ownerGuard = createOwnerGuard({ gates: database.tenants(ownerGateCollection), users: userStore });
  const users = createUserService({ database, users: userStore, roles, guard: ownerGuard, makeEvent, newId, clock });
  const authSettings = createAuthSettingsService({
    database,
    audit,
    settings: database.tenants(authSettingsCollection),
    roles,
    cache,
    protector,
  });
  const issue = tokenIssuer({ ...config.tokens, current: signingKeys.current, newId, clock });
  const links = createLinks({
    database,
    links: database.tenants(identityLinkCollection),
    users: userStore,
    settings: authSettings,
    makeEvent,
    clock,
    defaultAppUrl: config.appUrl,
  });
  const threats = createThreatDetection({
    ...runtime,
    policy,
    settings: authSettings,
    keys: runtime.keyRings,
    findPlace: ipPlaces({ path: config.ipDatabase, logger: runtime.logger }),
    defaultAppUrl: config.appUrl,
  });
  const sessions = createSessions({
    database,
    knownDevices: threats.knownDevices,
    sessions: database.tenants(sessionCollection),
    users: userStore,
    policy,
    issue,
    makeEvent,
    newId,
    clock,
  });
  const url = config.breachedPasswordsUrl;
  const countBreaches = url === undefined ? undefined : breachedPasswords({ ...runtime, baseUrl: url });
  const common = {
    database,
    userStore,
    users,
    links,
    linkBudget: threats.linkBudget,
    settings: authSettings,
    policy,
    sessions,
    tenants,
    roles,
    passwords: createPasswordHasher(),
    checkPassword: createPasswordCheck(countBreaches === undefined ? {} : { countBreaches }),
    makeEvent,
    newId,
    clock,
    defaultAppUrl: config.appUrl,
  };
  const accounts = database.tenants(serviceAccountCollection);
  const addOne = bounded(database, database.tenants(countGateCollection));
  const { guard, risk } = threats;
  const isBreached = async (password: string) => ((await countBreaches?.(password)) ?? 0) > 0;
  const { secondFactor, passkeyChanges, withPasskeys } = createMfa({ ...common, guard });
  const signIns = createSignInService({ ...common, secondFactor, guard, risk, isBreached });
  const flows = createFlows({ flows: database.tenants(flowCollection), clock });
  const isLocal = config.environment === 'local';
  const fetch = publicFetch({ allowPrivate: isLocal });
  const passkeys = createPasskeyService({
    ...common,
    passkeys: database.tenants(passkeyCollection),
    users: userStore,
    flows,
    changes: passkeyChanges,
    signIns,
  });
  return {
    ...threats,
    ...withPasskeys(passkeys),
    passkeys,
    oidc: createOidcService({ ...common, flows, signIns, fetch, allowInsecure: isLocal }),
    passkeyStore: database.tenants(passkeyCollection),
    sessionStore: database.tenants(sessionCollection),
    mfaProfiles: database.tenants(mfaProfileCollection),
    trustedDeviceStore: database.tenants(trustedDeviceCollection),
    users,
    authSettings,
    links,
    sessions,
    signUps: createSignUpService({ ...common, signIns }),
    accounts: createAccountService({ ...common, requirePassword: passwordProof({ ...common, guard }) }),
    signIns,
    serviceAccounts: createServiceAccountService({ database, accounts, addOne, tenants, issue, audit, newId, clock }),
  };
};

/** What was done, and how the tenant is protected. */
const createProtection = (runtime: Runtime) => {
  const { database, cache, clock, blobs, lockedBlobs: rootBlobs } = runtime;
  const auditing = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(runtime.keyRings) });
  const policies = database.tenants(securityPolicyCollection);
  const policyService = createSecurityPolicyService({ database, policies, audit: auditing.audit, cache, clock });
  return { ...auditing, policyService, tenants: runtime.tenants, makeEvent: runtime.makeEvent, clock };
};

/** Every collection with encrypted fields, of whatever function: rotation renews these. A test finds one that is missing. */
export const encryptedCollections = [
  secretValueCollection,
  mfaProfileCollection,
  mfaChallengeCollection,
  riskProfileCollection,
  gatewayAccountCollection,
  paymentCollection,
  stripeCustomerCollection,
  ...billingEncryptedCollections,
];

/** Keys, and what is kept under them. */
const createEncryption = (runtime: Runtime, audit: Pick<AuditLog, 'record'>) => {
  const { database, keyRings: keys, fieldEncryption: fields, blobs, makeEvent, clock } = runtime;
  const rotations = database.tenants(keyRotationCollection);
  return {
    keys,
    fields,
    rotations,
    encryptedCollections,
    keyRotations: createKeyRotationService({
      database,
      rotations,
      keys,
      encryptedCollections,
      audit,
      makeEvent,
      clock,
    }),
    values: createValueEncryptionService({ keys }),
    secrets: createSecretService({
      database,
      secrets: database.tenants(secretCollection),
      addOne: bounded(database, database.tenants(countGateCollection)),
      values: database.tenants(secretValueCollection),
      audit,
      clock,
    }),
    dataLoss: createDataLossService({ blobs }),
    signedUrls: createSignedUrlService({
      database,
      files: database.tenants(storedFileCollection),
      blobs,
      quotas: runtime.quotas,
      clock,
    }),
  };
};

export const createServices = (runtime: Runtime) => {
  const protection = createProtection(runtime);
  return {
    ...createIdentity(runtime, protection.policyService, protection.audit),
    ...createEncryption(runtime, protection.audit),
    ...protection,
    erasing: erasingOf(runtime),
    apiKeys: runtime.apiKeys,
    roles: runtime.roles,
    signingKeys: runtime.signingKeys,
  };
};

export type SecurityServices = ReturnType<typeof createServices>;
