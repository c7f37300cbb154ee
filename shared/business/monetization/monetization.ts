import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database } from '../../store/store.ts';
import type { Billing } from '../billing/billing.ts';
import { priceCollection } from '../billing/price.schema.ts';
import { productCollection } from '../billing/product.schema.ts';
import { assignmentCollection, experimentCollection, tallyCollection } from './experiment.schema.ts';
import { createExperimentService } from './experiment.service.ts';
import { createMetricsService } from './metrics.service.ts';
import { movementCollection } from './movement.schema.ts';
import { createPlanService } from './plan.service.ts';

export const monetizationCollections = [
  movementCollection,
  experimentCollection,
  assignmentCollection,
  tallyCollection,
];

export interface MonetizationOptions {
  readonly database: Database;
  readonly billing: Pick<Billing, 'customers' | 'catalogue' | 'billingSettings' | 'entitlements'>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** What is made of billing: plans, decisions, experiments and metrics. */
export const createMonetization = ({ database, billing, audit, newId, clock }: MonetizationOptions) => {
  const { customers, catalogue, billingSettings: settings, entitlements } = billing;
  const movements = database.tenants(movementCollection);
  return {
    movements,
    revenueMetrics: createMetricsService({ movements, settings }),
    plans: createPlanService({
      products: database.tenants(productCollection),
      prices: database.tenants(priceCollection),
      customers,
      entitlements,
    }),
    experiments: createExperimentService({
      database,
      experiments: database.tenants(experimentCollection),
      assignments: database.tenants(assignmentCollection),
      tallies: database.tenants(tallyCollection),
      customers,
      catalogue,
      audit,
      newId,
      clock,
    }),
  };
};
