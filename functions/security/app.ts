import { defineFunction } from '#shared/runtime/function.ts';
import {
  auditCollections,
  auditJobs,
  auditSchedules,
  authSettingsCollection,
  flowCollection,
  forgetRemovedUser,
  identityLinkCollection,
  keyRotationCollection,
  passkeyCollection,
  renewEncryption,
  rotateKeysDaily,
  rotateSigningKey,
  secretCollection,
  secretValueCollection,
  securityEraser,
  sendLink,
} from '#shared/security/index.ts';
import { advancedSecurity } from './routes/advanced-security.ts';
import { advancedSecurityFiles } from './routes/advanced-security-files.ts';
import { advancedSecuritySecrets } from './routes/advanced-security-secrets.ts';
import { auth } from './routes/auth.ts';
import { authAccess } from './routes/auth-access.ts';
import { authKeys } from './routes/auth-keys.ts';
import { authOidc } from './routes/auth-oidc.ts';
import { authPasskeys } from './routes/auth-passkeys.ts';
import { authSessions } from './routes/auth-sessions.ts';
import { security as securityRoutes } from './routes/security.ts';
import type { SecurityServices } from './services.ts';

export const security = defineFunction<SecurityServices>({
  name: 'security',
  paths: ['/api/v1/auth', '/api/v1/security', '/api/v1/advanced-security'],
  routes: (services) => [
    ...auth(services),
    ...authSessions(services),
    ...authPasskeys(services),
    ...authOidc(services),
    ...authKeys(services),
    ...authAccess(services),
    ...securityRoutes(services),
    ...advancedSecurity(services),
    ...advancedSecuritySecrets(services),
    ...advancedSecurityFiles(services),
  ],
  jobs: [sendLink, forgetRemovedUser, rotateSigningKey, renewEncryption, ...auditJobs, securityEraser.job],
  schedules: [rotateKeysDaily, ...auditSchedules],
  collections: [
    authSettingsCollection,
    identityLinkCollection,
    flowCollection,
    passkeyCollection,
    secretCollection,
    secretValueCollection,
    keyRotationCollection,
    ...auditCollections,
  ],
  secrets: [],
});
