import { createHash } from 'node:crypto';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import { shardedCounter } from '../../store/sharded-counter.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { badField, notFound } from '../billing/billing.fields.ts';
import type { CatalogueService } from '../billing/catalogue.service.ts';
import type { Customer } from '../billing/customer.schema.ts';
import type {
  Assignment,
  Experiment,
  ExperimentResult,
  ExperimentView,
  NewExperiment,
  Tally,
} from './experiment.schema.ts';
import { differenceOfMeans, differenceOfProportions, sampleSize, wilson } from './statistics.ts';

export interface Assigned {
  readonly variant: string;
  readonly price: string;
}

/** Fails with `not-found` where there is no such experiment. */
export interface ExperimentService {
  /** Fails with `invalid-request` for a price that is not there. */
  create(actor: Actor, input: NewExperiment): Promise<ExperimentView>;
  list(actor: Actor, page: PageRequest): Promise<Page<ExperimentView>>;
  result(actor: Actor, id: string): Promise<ExperimentResult>;
  /** From then on nobody is assigned who was not before. */
  stop(actor: Actor, id: string): Promise<ExperimentView>;
  /** What a customer is shown: the same each time. Fails with `precondition-failed` once it is stopped. */
  assign(actor: Actor, id: string, customer: string): Promise<Assigned>;
  /** Notes that a customer bought, once. Fails with `precondition-failed` for one who was not assigned. */
  convert(actor: Actor, id: string, customer: string, revenue: number): Promise<Assigned>;
}

export interface ExperimentOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly experiments: TenantStore<Experiment>;
  readonly assignments: TenantStore<Assignment>;
  readonly tallies: TenantStore<Tally>;
  readonly customers: TenantStore<Customer>;
  readonly catalogue: Pick<CatalogueService, 'offers'>;
  readonly audit: AuditLog;
  readonly newId: NewId;
  readonly clock: Clock;
}

const shards = 10;
const alpha = 0.05;

/** A number from 0 to 1 that is always the same of the same. */
const pointOf = (experiment: string, customer: string): number =>
  createHash('sha256')
    .update(JSON.stringify([experiment, customer]))
    .digest()
    .readUInt32BE(0) /
  2 ** 32;

/** Deterministic by the experiment and the customer; the shares are those of the weights. */
export const variantOf = (
  experiment: string,
  { variants }: Pick<Experiment, 'variants'>,
  customer: string,
): Assigned => {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  let left = pointOf(experiment, customer) * total;
  for (const { key, price, weight } of variants) {
    if (left < weight) return { variant: key, price };
    left -= weight;
  }
  throw new Error('An experiment has no variants.');
};

const viewOf = (id: string, value: Experiment): ExperimentView => ({ id, ...value });
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export const resultOf = (experiment: ExperimentView, tallies: readonly Tally[]): ExperimentResult => {
  const { variants } = experiment;
  // Several are compared with the first: together they are to be wrong no more often than one (Bonferroni).
  const each = alpha / (variants.length - 1);
  const none: Tally = { assigned: 0, converted: 0, revenue: 0, squares: 0 };
  const control = tallies[0] ?? none;
  const counted = ({ assigned: trials, converted: successes }: Tally) => ({ trials, successes });
  const sums = ({ assigned: count, revenue: sum, squares }: Tally) => ({ count, sum, squares });
  const results = variants.map(({ key }, i) => {
    const tally = tallies[i] ?? none;
    const { assigned, converted, revenue } = tally;
    const ofRevenue = differenceOfMeans(sums(control), sums(tally), each);
    return {
      key,
      assigned,
      converted,
      rate: assigned === 0 ? 0 : converted / assigned,
      rateInterval: wilson(converted, assigned, alpha),
      revenue: assigned === 0 ? 0 : revenue / assigned,
      difference:
        i === 0
          ? null
          : {
              conversion: differenceOfProportions(counted(control), counted(tally), each),
              revenue: { low: finite(ofRevenue.low), high: finite(ofRevenue.high) },
            },
    };
  });
  const isEnough = results.every(({ assigned }) => assigned >= experiment.sampleSize);
  const differs = results.some(
    ({ difference }) => difference !== null && (difference.conversion.low > 0 || difference.conversion.high < 0),
  );
  const verdict = !isEnough ? 'too-few' : differs ? 'difference' : 'no-difference';
  return { experiment, verdict, confidence: 1 - alpha, variants: results };
};

const maxAttempts = 5;

export const createExperimentService = (options: ExperimentOptions): ExperimentService => {
  const { database, experiments, assignments, tallies, customers, catalogue, audit, newId, clock } = options;

  const find = async (tenant: string, id: string): Promise<Stored<Experiment>> => {
    const stored = await experiments.of(tenant).get(id);
    if (stored === undefined) throw notFound('experiment');
    return stored;
  };
  const counterOf = (tenant: string) => shardedCounter(tallies.of(tenant), { shards });
  const assignedOf = ({ value }: Stored<Experiment>, key: string): Assigned => ({
    variant: key,
    price: value.variants.find((variant) => variant.key === key)?.price ?? '',
  });
  const record = (action: string, id: string) => ({
    action: `monetization.experiment.${action}`,
    target: { type: 'price-experiment', id },
    outcome: 'success' as const,
  });

  return {
    create: async (actor, input) => {
      const { tenant } = actor;
      const offers = await catalogue.offers(
        tenant,
        input.variants.map(({ price }) => price),
      );
      input.variants.forEach(({ price }, i) => {
        if (!offers.has(price)) throw badField(`body.variants.${i}.price`, 'There is no such price');
      });
      const id = idsFor(actor, newId)('exp');
      const size = sampleSize(input.baseRate, input.effect, alpha / (input.variants.length - 1));
      const value: Experiment = { ...input, status: 'running', sampleSize: size, createdAt: isoTime(clock.now()) };
      try {
        await database.transaction(async (transaction) => {
          transaction.create(experiments.of(tenant), id, value);
          await audit.record(transaction, actor, record('created', id));
        });
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        return viewOf(id, (await find(tenant, id)).value);
      }
      return viewOf(id, value);
    },
    list: async ({ tenant }, { limit, cursor }) => {
      const page = await experiments.of(tenant).query({ limit, cursor });
      return { ...page, items: page.items.map(({ id, value }) => viewOf(id, value)) };
    },
    result: async ({ tenant }, id) => {
      const { value } = await find(tenant, id);
      const fields = ['assigned', 'converted', 'revenue', 'squares'];
      const counts = await Promise.all(value.variants.map(({ key }) => counterOf(tenant).read(`${id}~${key}`, fields)));
      return resultOf(
        viewOf(id, value),
        counts.map(({ assigned = 0, converted = 0, revenue = 0, squares = 0 }) => ({
          assigned,
          converted,
          revenue,
          squares,
        })),
      );
    },
    // Whoever comes second finds it stopped.
    stop: (actor, id) =>
      retrying(maxAttempts, async () => {
        const { value, revision } = await find(actor.tenant, id);
        if (value.status === 'stopped') return viewOf(id, value);
        const next: Experiment = { ...value, status: 'stopped' };
        await database.transaction(async (transaction) => {
          transaction.update(experiments.of(actor.tenant), id, next, { revision });
          await audit.record(transaction, actor, record('stopped', id));
        });
        return viewOf(id, next);
      }),
    assign: async ({ tenant }, id, customer) => {
      const key = `${id}~${customer}`;
      const [stored, earlier, who] = await Promise.all([
        find(tenant, id),
        assignments.of(tenant).get(key),
        customers.of(tenant).get(customer),
      ]);
      if (earlier !== undefined) return assignedOf(stored, earlier.value.variant);
      if (who === undefined) throw badField('body.customer', 'There is no such customer');
      if (stored.value.status === 'stopped') throw new OmniError('precondition-failed', 'The experiment is over.');
      const assigned = variantOf(id, stored.value, customer);
      const { variant } = assigned;
      try {
        await database.transaction((transaction) => {
          const at = isoTime(clock.now());
          const value = { experiment: id, variant, converted: false, revenue: 0, at };
          transaction.create(assignments.of(tenant), key, value);
          counterOf(tenant).addIn(transaction, `${id}~${variant}`, { assigned: 1 });
        });
      } catch (error) {
        // Asked for twice at once: both get the same, and it counts once.
        if (!isOmniError(error, 'already-exists')) throw error;
      }
      return assigned;
    },
    convert: async ({ tenant }, id, customer, revenue) => {
      const [stored, assignment] = await Promise.all([
        find(tenant, id),
        assignments.of(tenant).get(`${id}~${customer}`),
      ]);
      if (assignment === undefined) throw new OmniError('precondition-failed', 'This customer was not assigned.');
      const { value, revision } = assignment;
      const assigned = assignedOf(stored, value.variant);
      if (value.converted) return assigned;
      try {
        await database.transaction((transaction) => {
          const next = { ...value, converted: true, revenue };
          transaction.update(assignments.of(tenant), assignment.id, next, { revision });
          const by = { converted: 1, revenue, squares: revenue ** 2 };
          counterOf(tenant).addIn(transaction, `${id}~${value.variant}`, by);
        });
      } catch (error) {
        // Noted by somebody else at the same moment.
        if (!isOmniError(error, 'revision-conflict')) throw error;
      }
      return assigned;
    },
  };
};
