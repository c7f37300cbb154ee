import type { Cache } from '../../cache/cache.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { doneByActor } from '../identity/identity.events.ts';
import { threatRulesChanged } from './threat.events.ts';
import {
  type StoredThreatRules,
  type ThreatRules,
  type ThreatRulesView,
  threatRulesSchema,
} from './threat-rules.schema.ts';

export interface ThreatRulesService {
  get(actor: Actor): Promise<ThreatRulesView>;
  /** Replaces all. Fails with `precondition-failed` when they were changed meanwhile. */
  put(actor: Actor, rules: ThreatRules, expected: number): Promise<ThreatRulesView>;
  /** What holds in a tenant. Up to 30 s old. */
  of(tenant: string): Promise<ThreatRules>;
}

export interface ThreatRulesOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly rules: TenantStore<StoredThreatRules>;
  readonly cache: Cache;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const rulesId = 'rules';
/** Seconds. */
const cacheFor = 30;

const viewOf = (stored: Pick<Stored<StoredThreatRules>, 'value'> | undefined): ThreatRulesView =>
  stored === undefined
    ? { ...threatRulesSchema.parse({}), revision: 0, updatedAt: null, updatedBy: null }
    : stored.value;

export const createThreatRulesService = (options: ThreatRulesOptions): ThreatRulesService => {
  const { database, rules, cache, makeEvent, clock } = options;
  const cached = cache.reader(cacheFor, (value) => threatRulesSchema.parse(value));
  const cacheKey = (tenant: string): string => `threat-rules:${tenant}`;
  const stale = () => new OmniError('precondition-failed', 'The rules were changed meanwhile. Read them again.');

  return {
    get: async ({ tenant }) => viewOf(await rules.of(tenant).get(rulesId)),
    of: (tenant) =>
      cached(cacheKey(tenant), async () => {
        const { thresholds, rules: all } = viewOf(await rules.of(tenant).get(rulesId));
        return { thresholds, rules: all };
      }),
    put: async (actor, next, expected) => {
      const store = rules.of(actor.tenant);
      const stored = await store.get(rulesId);
      if (viewOf(stored).revision !== expected) throw stale();
      const value: StoredThreatRules = {
        ...next,
        revision: expected + 1,
        updatedAt: isoTime(clock.now()),
        updatedBy: actor.id,
      };
      const names = next.rules.map(
        ({ name, enabled, dryRun }) => `${name}${enabled ? (dryRun ? ' (dry run)' : '') : ' (off)'}`,
      );
      const event = makeEvent(threatRulesChanged, {
        tenant: actor.tenant,
        subject: rulesId,
        data: { ...doneByActor(actor), revision: value.revision, rules: names },
      });
      try {
        await database.transaction((transaction) => {
          if (stored === undefined) transaction.create(store, rulesId, value);
          else transaction.update(store, rulesId, value, { revision: stored.revision });
          transaction.emit(event);
        });
      } catch (error) {
        if (isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists')) throw stale();
        throw error;
      }
      await cache.delete(cacheKey(actor.tenant));
      return viewOf({ value });
    },
  };
};
