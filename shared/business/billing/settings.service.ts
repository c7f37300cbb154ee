import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { clockAdvanced } from './billing.events.ts';
import { badField } from './billing.fields.ts';
import {
  type BillingSettings,
  type BillingSettingsView,
  billingSettingsSchema,
  type StoredBillingSettings,
} from './settings.schema.ts';

/** What holds in a tenant, and what time it is there: milliseconds. */
export interface BillingContext {
  readonly settings: BillingSettings;
  readonly now: number;
  /** The test clock is on its way, and does whatever is due at its own time. */
  readonly isMoving?: boolean;
}

export interface BillingSettingsService {
  get(actor: Actor): Promise<BillingSettingsView>;
  /** One read. */
  contextOf(tenant: string): Promise<BillingContext>;
  /** Replaces all of them. Fails with `revision-conflict` when somebody else does at the same time. */
  put(actor: Actor, settings: BillingSettings): Promise<BillingSettingsView>;
  /**
   * Stops the tenant's time there; from the second time on, time goes there step by step, with all that is due on the
   * way. Fails with `precondition-failed` for a tenant that is no sandbox, and once there are invoices that were made in real time, and with `invalid-request`
   * for a step back or of more than two years.
   */
  setTestClock(actor: Actor, at: string): Promise<BillingSettingsView>;
}

export interface BillingSettingsOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly settings: TenantStore<StoredBillingSettings>;
  /** Whether money of this tenant does not exist. */
  readonly isSandbox: (tenant: string) => Promise<boolean>;
  /** Whether a tenant has made an invoice yet. */
  readonly hasInvoices: (tenant: string) => Promise<boolean>;
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const id = 'settings';
const longestStep = 2 * 366 * 86_400_000;

export const createBillingSettingsService = (options: BillingSettingsOptions): BillingSettingsService => {
  const { database, settings, isSandbox, hasInvoices, audit, makeEvent, newId, clock } = options;
  const initial: StoredBillingSettings = {
    ...billingSettingsSchema.parse({}),
    testClock: null,
    movingTo: null,
    updatedAt: null,
  };

  const write = async (
    actor: Actor,
    stored: Stored<StoredBillingSettings> | undefined,
    next: StoredBillingSettings,
  ): Promise<BillingSettingsView> => {
    const store = settings.of(actor.tenant);
    const before = new Map<string, unknown>(Object.entries(stored?.value ?? initial));
    const changed = Object.entries(next).flatMap(([field, value]) =>
      canonicalJson(value) === canonicalJson(before.get(field)) ? [] : [field],
    );
    await database.transaction(async (transaction) => {
      if (stored === undefined) transaction.create(store, id, next);
      else transaction.update(store, id, next, { revision: stored.revision });
      await audit.record(transaction, actor, {
        action: 'billing.settings.changed',
        target: { type: 'billing-settings', id },
        outcome: 'success',
        data: { changed },
      });
    });
    return next;
  };

  return {
    get: async ({ tenant }) => (await settings.of(tenant).get(id))?.value ?? initial,
    contextOf: async (tenant) => {
      const { testClock, movingTo, ...own } = (await settings.of(tenant).get(id))?.value ?? initial;
      const now = testClock === null ? clock.now() : Date.parse(testClock);
      return { settings: own, now, isMoving: movingTo !== null };
    },
    put: async (actor, input) => {
      const stored = await settings.of(actor.tenant).get(id);
      const { testClock, movingTo } = stored?.value ?? initial;
      if (input.seller === null && stored?.value.seller)
        throw badField('body.seller', 'It can be changed, not removed');
      return write(actor, stored, { ...input, testClock, movingTo, updatedAt: isoTime(clock.now()) });
    },
    setTestClock: async (actor, at) => {
      if (!(await isSandbox(actor.tenant))) {
        throw new OmniError(
          'precondition-failed',
          'Only a sandbox has a test clock. Make one of this tenant, and use it there.',
        );
      }
      const stored = await settings.of(actor.tenant).get(id);
      const current = stored?.value.testClock ?? null;
      if (current === null && (await hasInvoices(actor.tenant))) {
        throw new OmniError('precondition-failed', 'This tenant has invoices of real time. Use one without any.');
      }
      const from = current === null ? clock.now() : Date.parse(current);
      const to = Date.parse(at);
      if (current !== null && to < from) throw badField('body.at', 'Time does not go back');
      if (Math.abs(to - from) > longestStep) throw badField('body.at', 'At most two years at a time');
      if (current === null || stored === undefined) {
        const testClock = isoTime(to);
        return write(actor, stored, { ...(stored?.value ?? initial), testClock, updatedAt: isoTime(clock.now()) });
      }
      const subject = newId('clk');
      const next = { ...stored.value, movingTo: isoTime(to) };
      await database.transaction(async (transaction) => {
        const data = { to: isoTime(to), step: 0 };
        transaction.update(settings.of(actor.tenant), id, next, { revision: stored.revision });
        transaction.emit(makeEvent(clockAdvanced, { id: subject, tenant: actor.tenant, subject, data }));
        await audit.record(transaction, actor, {
          action: 'billing.settings.changed',
          target: { type: 'billing-settings', id },
          outcome: 'success',
          data: { changed: ['testClock'] },
        });
      });
      return next;
    },
  };
};
