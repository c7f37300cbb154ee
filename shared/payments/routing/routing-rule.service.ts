import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { maxRules, type RoutingRule, type RoutingRuleInput, type RoutingRuleView } from './routing-rule.schema.ts';

export interface RoutingRuleService {
  /** Fails with `precondition-failed` where the tenant has as many as it may. */
  create(actor: Actor, input: RoutingRuleInput): Promise<RoutingRuleView>;
  /** All, in the order in which they decide. */
  list(actor: Actor): Promise<readonly RoutingRuleView[]>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<RoutingRuleView>;
  update(actor: Actor, id: string, input: RoutingRuleInput): Promise<RoutingRuleView>;
  remove(actor: Actor, id: string): Promise<void>;
}

export interface RoutingRuleOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly rules: TenantStore<RoutingRule>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly newId: NewId;
  readonly clock: Clock;
}

const viewOf = ({ id, value }: Pick<Stored<RoutingRule>, 'id' | 'value'>): RoutingRuleView => ({ id, ...value });

export const createRoutingRules = ({
  database,
  rules,
  audit,
  newId,
  clock,
}: RoutingRuleOptions): RoutingRuleService => {
  const find = async (tenant: string, id: string): Promise<Stored<RoutingRule>> => {
    const stored = await rules.of(tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such routing rule.');
    return stored;
  };
  const record = (transaction: Transaction, actor: Actor, action: string, id: string) =>
    audit.record(transaction, actor, {
      action: `payments.routing-rule.${action}`,
      target: { type: 'routing-rule', id },
      outcome: 'success',
    });
  const list: RoutingRuleService['list'] = async ({ tenant }) => {
    const { items } = await rules.of(tenant).query({ limit: 2 * maxRules });
    return items.map(viewOf).sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1));
  };

  return {
    list,
    create: async (actor, input) => {
      if ((await list(actor)).length >= maxRules) {
        throw new OmniError('precondition-failed', `A tenant has at most ${maxRules} routing rules.`);
      }
      const now = isoTime(clock.now());
      const [id, value] = [idsFor(actor, newId)('rul'), { ...input, createdAt: now, updatedAt: now }];
      await database.transaction(async (transaction) => {
        transaction.create(rules.of(actor.tenant), id, value);
        await record(transaction, actor, 'created', id);
      });
      return viewOf({ id, value });
    },
    get: async ({ tenant }, id) => viewOf(await find(tenant, id)),
    update: async (actor, id, input) => {
      const { value, revision } = await find(actor.tenant, id);
      const next: RoutingRule = { ...input, createdAt: value.createdAt, updatedAt: isoTime(clock.now()) };
      await database.transaction(async (transaction) => {
        transaction.update(rules.of(actor.tenant), id, next, { revision });
        await record(transaction, actor, 'updated', id);
      });
      return viewOf({ id, value: next });
    },
    remove: async (actor, id) => {
      const { revision } = await find(actor.tenant, id);
      await database.transaction(async (transaction) => {
        transaction.delete(rules.of(actor.tenant), id, { revision });
        await record(transaction, actor, 'deleted', id);
      });
    },
  };
};
