import { defineEraser } from '../erasure/index.ts';
import { countGateCollection } from './access/bounded.ts';
import { roleCollection } from './access/role.schema.ts';
import { apiKeyCollection } from './api-keys/api-key.schema.ts';
import { auditCollections } from './audit/auditing.ts';
import { keyRingCollection } from './encryption/data-key.schema.ts';
import { keyRotationCollection } from './encryption/key-rotation.schema.ts';
import { authSettingsCollection } from './identity/auth-settings.schema.ts';
import { identityLinkCollection } from './identity/link.schema.ts';
import { ownerGateCollection } from './identity/owner-guard.ts';
import { userCollection } from './identity/user.schema.ts';
import { mfaCollections } from './mfa/mfa.ts';
import { securityPolicyCollection } from './policy/security-policy.schema.ts';
import { secretCollection, secretValueCollection } from './secrets/secret.schema.ts';
import { serviceAccountCollection } from './service-accounts/service-account.schema.ts';
import { flowCollection } from './sessions/flow.schema.ts';
import { passkeyCollection } from './sessions/passkey.schema.ts';
import { sessionCollection } from './sessions/session.schema.ts';
import { storedFileCollection } from './signed-urls/stored-file.schema.ts';
import { threatCollections } from './threats/threat-detection.ts';

/** The daily roots of the audit log stay: their bucket's retention is locked, and they are hashes. */
export const securityEraser = defineEraser({
  domain: 'security',
  collections: [
    apiKeyCollection,
    sessionCollection,
    flowCollection,
    identityLinkCollection,
    passkeyCollection,
    serviceAccountCollection,
    userCollection,
    ownerGateCollection,
    countGateCollection,
    roleCollection,
    authSettingsCollection,
    securityPolicyCollection,
    secretValueCollection,
    secretCollection,
    keyRotationCollection,
    storedFileCollection,
    ...mfaCollections,
    ...threatCollections,
    ...auditCollections,
  ],
  blobPrefixes: ['audit/'],
});

/** The keys under which everything else was encrypted. Deleted last: what a backup still holds is lost with them. */
export const keyEraser = defineEraser({ domain: 'keys', collections: [keyRingCollection] });
