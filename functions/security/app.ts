import { defineFunction } from '#shared/runtime/function.ts';
import {
  auditCollections,
  auditJobs,
  auditSchedules,
  authSettingsCollection,
  completeFactorReset,
  factorResetSweep,
  flowCollection,
  forgetRemovedUser,
  identityLinkCollection,
  keyRotationCollection,
  mfaCollections,
  passkeyCollection,
  renewEncryption,
  rotateKeysDaily,
  rotateSigningKey,
  secretCollection,
  secretValueCollection,
  securityEraser,
  sendLink,
  startFactorResets,
  storedFileCollection,
  threatCollections,
  threatJobs,
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
import { mfa } from './routes/mfa.ts';
import { mfaChallenge } from './routes/mfa-challenge.ts';
import { mfaResets } from './routes/mfa-resets.ts';
import { security as securityRoutes } from './routes/security.ts';
import { threatDetection } from './routes/threat-detection.ts';
import { threatDetectionRules } from './routes/threat-detection-rules.ts';
import type { SecurityServices } from './services.ts';

export const security = defineFunction<SecurityServices>({
  name: 'security',
  paths: ['/api/v1/auth', '/api/v1/mfa', '/api/v1/security', '/api/v1/advanced-security', '/api/v1/threat-detection'],
  routes: (services) => [
    ...auth(services),
    ...authSessions(services),
    ...authPasskeys(services),
    ...authOidc(services),
    ...authKeys(services),
    ...authAccess(services),
    ...mfa(services),
    ...mfaChallenge(services),
    ...mfaResets(services),
    ...securityRoutes(services),
    ...advancedSecurity(services),
    ...advancedSecuritySecrets(services),
    ...advancedSecurityFiles(services),
    ...threatDetection(services),
    ...threatDetectionRules(services),
  ],
  jobs: [
    sendLink,
    forgetRemovedUser,
    rotateSigningKey,
    renewEncryption,
    startFactorResets,
    completeFactorReset,
    ...auditJobs,
    ...threatJobs,
    securityEraser.job,
  ],
  schedules: [rotateKeysDaily, factorResetSweep, ...auditSchedules],
  collections: [
    authSettingsCollection,
    identityLinkCollection,
    flowCollection,
    passkeyCollection,
    secretCollection,
    secretValueCollection,
    keyRotationCollection,
    storedFileCollection,
    ...mfaCollections,
    ...auditCollections,
    ...threatCollections,
  ],
  secrets: [],
});
