import { gatewayAccountCollection, stripeCustomerCollection } from '#shared/payments/index.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import {
  authSettingsCollection,
  createAccountService,
  createAuditing,
  createAuthSettingsService,
  createDataLossService,
  createFlows,
  createKeyRotationService,
  createLinks,
  createOidcService,
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
  createUserService,
  createValueEncryptionService,
  flowCollection,
  identityLinkCollection,
  keyRotationCollection,
  passkeyCollection,
  publicFetch,
  type SecurityPolicyService,
  secretCollection,
  secretValueCollection,
  securityPolicyCollection,
  serviceAccountCollection,
  sessionCollection,
  subjectCipher,
  tokenIssuer,
  userCollection,
} from '#shared/security/index.ts';

/** Who people are, and how they show it. */
const createIdentity = (runtime: Runtime, policy: Pick<SecurityPolicyService, 'of'>) => {
  const { config, database, cache, makeEvent, newId, clock, tenants, roles, protector, signingKeys } = runtime;
  const userStore = database.tenants(userCollection);
  const users = createUserService({ database, users: userStore, roles, makeEvent, newId, clock });
  const authSettings = createAuthSettingsService({
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
  const sessions = createSessions({
    database,
    sessions: database.tenants(sessionCollection),
    users: userStore,
    policy,
    issue,
    makeEvent,
    newId,
    clock,
  });
  const common = {
    database,
    userStore,
    users,
    links,
    settings: authSettings,
    policy,
    sessions,
    tenants,
    passwords: createPasswordHasher(),
    checkPassword: createPasswordCheck(),
    makeEvent,
    newId,
    clock,
  };
  const accounts = database.tenants(serviceAccountCollection);
  const signIns = createSignInService(common);
  const flows = createFlows({ flows: database.tenants(flowCollection), clock });
  const isLocal = config.environment === 'local';
  const fetch = publicFetch({ allowPrivate: isLocal });
  return {
    passkeys: createPasskeyService({
      ...common,
      passkeys: database.tenants(passkeyCollection),
      users: userStore,
      flows,
      signIns,
    }),
    oidc: createOidcService({ ...common, flows, signIns, fetch, allowInsecure: isLocal }),
    users,
    authSettings,
    links,
    sessions,
    signUps: createSignUpService(common),
    accounts: createAccountService(common),
    signIns,
    serviceAccounts: createServiceAccountService({ accounts, tenants, issue, newId, clock }),
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
export const encryptedCollections = [secretValueCollection, gatewayAccountCollection, stripeCustomerCollection];

/** Keys, and what is kept under them. */
const createEncryption = ({ database, keyRings: keys, fieldEncryption: fields, blobs, makeEvent, clock }: Runtime) => {
  const rotations = database.tenants(keyRotationCollection);
  return {
    keys,
    fields,
    rotations,
    encryptedCollections,
    keyRotations: createKeyRotationService({ database, rotations, keys, encryptedCollections, makeEvent, clock }),
    values: createValueEncryptionService({ keys }),
    secrets: createSecretService({
      database,
      secrets: database.tenants(secretCollection),
      values: database.tenants(secretValueCollection),
      clock,
    }),
    dataLoss: createDataLossService({ blobs }),
    signedUrls: createSignedUrlService({ blobs, clock }),
  };
};

export const createServices = (runtime: Runtime) => {
  const protection = createProtection(runtime);
  return {
    ...createIdentity(runtime, protection.policyService),
    ...createEncryption(runtime),
    ...protection,
    apiKeys: runtime.apiKeys,
    roles: runtime.roles,
    signingKeys: runtime.signingKeys,
  };
};

export type SecurityServices = ReturnType<typeof createServices>;
