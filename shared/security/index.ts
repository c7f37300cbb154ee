export { bounded, countGateCollection } from './access/bounded.ts';
export { type CouldStillGive, couldStillGive, type Giver, type MayStillGive, mayStillGive } from './access/giving.ts';
export { builtInRoles, permissions } from './access/permissions.ts';
export {
  customRoleNameSchema,
  type Role,
  roleCollection,
  roleInputSchema,
  roleNameSchema,
  roleViewSchema,
} from './access/role.schema.ts';
export { createRoleService, type RoleService } from './access/role.service.ts';
export { isApiKey } from './api-keys/api-key.format.ts';
export { type ApiKey, apiKeyCollection, apiKeyViewSchema, newApiKeySchema } from './api-keys/api-key.schema.ts';
export { type ApiKeyService, createApiKeyService } from './api-keys/api-key.service.ts';
export { type AuditJobServices, auditJobs, auditSchedules } from './audit/audit.jobs.ts';
export { type AuditActor, type AuditInput, type AuditLog, createAuditLog } from './audit/audit.log.ts';
export { auditVerificationSchema } from './audit/audit.service.ts';
export { auditEntryCollection, auditEntryViewSchema } from './audit/audit-entry.schema.ts';
export { auditExportViewSchema } from './audit/audit-export.schema.ts';
export { auditCollections, createAuditing } from './audit/auditing.ts';
export { type SubjectCipher, subjectCipher } from './audit/subject-cipher.ts';
export { createDataLossService, type DataLossService } from './dlp/dlp.service.ts';
export { confidenceSchema, findingSchema } from './dlp/finding.schema.ts';
export {
  type KeyRing,
  keyRingCollection,
  keyRingViewSchema,
  ringNameSchema,
} from './encryption/data-key.schema.ts';
export { createFieldEncryption, type FieldEncryption } from './encryption/field-encryption.ts';
export type { KeyManagement } from './encryption/key-management.ts';
export { createKeyRings, type KeyRings } from './encryption/key-rings.ts';
export { type KeyRotationJobServices, renewEncryption } from './encryption/key-rotation.jobs.ts';
export { keyRotationCollection, keyRotationViewSchema } from './encryption/key-rotation.schema.ts';
export { createKeyRotationService, type KeyRotationService, settledAfter } from './encryption/key-rotation.service.ts';
export { createValueEncryptionService, type ValueEncryptionService } from './encryption/value.service.ts';
export { type AccountService, createAccountService } from './identity/account.service.ts';
export {
  type AuthSettings,
  authSettingsCollection,
  authSettingsInputSchema,
  authSettingsViewSchema,
  providerNameSchema,
} from './identity/auth-settings.schema.ts';
export { type AuthSettingsService, createAuthSettingsService } from './identity/auth-settings.service.ts';
export { emailSchema, normaliseEmail } from './identity/email.ts';
export {
  type Device,
  deviceSchema,
  emailChanged,
  emailVerified,
  linkRequested,
  type Origin,
  passwordChanged,
  userRolesChanged,
  userSignedUp,
  userStatusChanged,
} from './identity/identity.events.ts';
export { type IdentityJobServices, sendLink } from './identity/identity.jobs.ts';
export { type IdentityLink, identityLinkCollection } from './identity/link.schema.ts';
export { createLinks, type Links } from './identity/links.ts';
export { createMembership, type Membership } from './identity/membership.ts';
export { createOwnerGuard, ownerGateCollection } from './identity/owner-guard.ts';
export { argon2Parameters, createPasswordHasher, type PasswordHasher, passwordSchema } from './identity/password.ts';
export { createPasswordCheck } from './identity/password-policy.ts';
export { passwordProof } from './identity/password-proof.ts';
export { forgetRemovedUser, type RemovedUserJobServices } from './identity/removed-user.jobs.ts';
export { createSignUpService, type SignUpService } from './identity/sign-up.service.ts';
export { personNameSchema, type User, userCollection, userViewSchema } from './identity/user.schema.ts';
export { createUserService, type NewUser, type UserService } from './identity/user.service.ts';
export {
  challengeTokenSchema,
  type FactorProof,
  type MfaChallenge,
  mfaChallengeCollection,
  mfaSignInSchema,
  proofSchema,
} from './mfa/challenge.schema.ts';
export { sentCodeSchema } from './mfa/code-sender.ts';
export { type EnrolmentProof, enrolmentSchema } from './mfa/enrolment.service.ts';
export { sentEnrolmentSchema } from './mfa/factor.service.ts';
export {
  backupCodesMade,
  backupCodeUsed,
  deviceRevoked,
  deviceTrusted,
  factorAdded,
  factorRemoved,
  resetCancelled,
  resetCompleted,
  resetRequested,
  secondFactorBlocked,
  secondFactorFailed,
} from './mfa/mfa.events.ts';
export {
  codeSchema,
  factorNameSchema,
  factorViewSchema,
  type MfaProfile,
  mfaOverviewSchema,
  mfaProfileCollection,
  newTotpSchema,
} from './mfa/mfa.schema.ts';
export { createMfa, mfaCollections } from './mfa/mfa.ts';
export {
  completeFactorReset,
  type FactorResetJobServices,
  factorResetSweep,
  startFactorResets,
} from './mfa/reset.jobs.ts';
export { factorResetViewSchema } from './mfa/reset.schema.ts';
export { deviceTokenSchema, trustedDeviceCollection, trustedDeviceViewSchema } from './mfa/trusted-device.schema.ts';
export { type PublicFetch, publicFetch } from './outbound/public-fetch.ts';
export { addressRefused, ipAdmission } from './policy/ip-admission.ts';
export {
  type SecurityPolicy,
  securityPolicyCollection,
  securityPolicySchema,
  securityPolicyViewSchema,
} from './policy/security-policy.schema.ts';
export { createSecurityPolicyService, type SecurityPolicyService } from './policy/security-policy.service.ts';
export {
  maxSecretLength,
  secretCollection,
  secretNameSchema,
  secretValueCollection,
  secretVersionStateSchema,
  secretViewSchema,
} from './secrets/secret.schema.ts';
export { createSecretService, type SecretService } from './secrets/secret.service.ts';
export { keyEraser, securityEraser } from './security.eraser.ts';
export {
  type ServiceAccount,
  serviceAccountCollection,
  serviceAccountViewSchema,
} from './service-accounts/service-account.schema.ts';
export { createServiceAccountService, type ServiceAccountService } from './service-accounts/service-account.service.ts';
export { type AuthenticateToken, tokenAuthentication } from './sessions/authenticate.ts';
export { type Flow, flowCollection } from './sessions/flow.schema.ts';
export { createFlows, type Flows } from './sessions/flows.ts';
export { createOidcService, type OidcService } from './sessions/oidc.service.ts';
export {
  authenticationResponseSchema,
  ceremonySchema,
  type Passkey,
  passkeyCollection,
  passkeyViewSchema,
  registrationResponseSchema,
} from './sessions/passkey.schema.ts';
export { createPasskeyService, type PasskeyService } from './sessions/passkey.service.ts';
export { sessionRaised, sessionRevoked, signInFailed, signInSucceeded } from './sessions/session.events.ts';
export {
  type Method,
  type Session,
  sessionCollection,
  sessionViewSchema,
  tokensSchema,
} from './sessions/session.schema.ts';
export { type CurrentSession, createSessions, type Sessions } from './sessions/session.service.ts';
export {
  challengeSchema,
  createSignInService,
  type FirstFactor,
  type RiskAssessment,
  type RiskAssessor,
  type SecondFactor,
  type SecondFactorChallenge,
  type SecondFactorDecision,
  type SignInAttempt,
  type SignInGuard,
  type SignInService,
  signInResultSchema,
} from './sessions/sign-in.service.ts';
export { createSignedUrlService, type SignedUrlService } from './signed-urls/signed-url.service.ts';
export { storedFileCollection, storedFileViewSchema } from './signed-urls/stored-file.schema.ts';
export { allowanceViewSchema, blockInputSchema, blockViewSchema } from './threats/block.schema.ts';
export { breachedPasswords, type CountBreaches } from './threats/breached-passwords.ts';
export {
  incidentChangeSchema,
  incidentKindSchema,
  incidentSummarySchema,
  incidentViewSchema,
  severitySchema,
  statusSchema as incidentStatusSchema,
} from './threats/incident.schema.ts';
export { type FindPlace, ipPlaces, type Place } from './threats/ip-places.ts';
export { riskProfileCollection } from './threats/profile.ts';
export { scoreOf as riskScoreOf, signalKindSchema } from './threats/risk.schema.ts';
export { userRiskSchema } from './threats/risk.service.ts';
export { blockChanged, signInAssessed, threatDetected, threatUpdated } from './threats/threat.events.ts';
export { type ThreatJobServices, threatJobs } from './threats/threat.jobs.ts';
export { createThreatDetection, threatCollections } from './threats/threat-detection.ts';
export { threatRulesSchema, threatRulesViewSchema } from './threats/threat-rules.schema.ts';
export { decisionOf as riskDecisionOf, judgeSignIn } from './threats/threat-rules.ts';
export { type AccessTokenClaims, tokenLifetime } from './tokens/access-token.schema.ts';
export { type IssueToken, tokenIssuer, tokenVerifier, type VerifyToken } from './tokens/access-tokens.ts';
export { hashOf, linkText, newSecret, parseLink } from './tokens/opaque-token.ts';
export { keyProtector, type Protector } from './tokens/protector.ts';
export { rotateKeysDaily, rotateSigningKey, type SigningKeyJobServices } from './tokens/signing-key.jobs.ts';
export { type SigningKey, signingKeyCollection } from './tokens/signing-key.schema.ts';
export { createSigningKeys, type SigningKeys } from './tokens/signing-keys.ts';
