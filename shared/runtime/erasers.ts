import { aiEraser } from '../ai/index.ts';
import { usageCollection } from '../analytics/index.ts';
import { businessEraser } from '../business/index.ts';
import { defineEraser, type Eraser } from '../erasure/index.ts';
import { deadLetterCollection } from '../events/dead-letters.ts';
import { idempotencyCollection } from '../http/idempotency.ts';
import { messagingEraser } from '../messaging/index.ts';
import { paymentsEraser } from '../payments/index.ts';
import { platformEraser } from '../platform/index.ts';
import { securityEraser } from '../security/index.ts';
import { webhooksEraser } from '../webhooks/index.ts';
import { workflowRunCollection } from '../workflows/workflow.ts';

/** What the ground itself keeps for a tenant, unique reservations, and any blob that no domain named. */
export const groundEraser = defineEraser({
  domain: 'ground',
  collections: [idempotencyCollection, usageCollection, workflowRunCollection, deadLetterCollection],
  reservations: true,
  blobPrefixes: [''],
});

/** Every domain's. A tenant is erased when each of them has said so; a test finds a collection that is in none. */
export const erasers: readonly Eraser[] = [
  aiEraser,
  businessEraser,
  messagingEraser,
  paymentsEraser,
  platformEraser,
  securityEraser,
  webhooksEraser,
  groundEraser,
];

/**
 * Platform collections that no eraser empties, and why. `outbox` and `inbox` hold what is under way, for minutes and for
 * two weeks, the latter without content; `rateWindows` are hashes of a minute; `closedProviderAccounts` are hashes of accounts
 * whose tenants were erased.
 */
export const keptCollections = [
  'outbox',
  'inbox',
  'rateWindows',
  'signingKeys',
  'tenantRecords',
  'tenantErasures',
  'tenantTombstones',
  'closedProviderAccounts',
] as const;
