import type { Bus } from '../events/bus.ts';
import type { EventType, MakeEvent } from '../events/define-event.ts';
import { grouped } from '../events/grouped.ts';
import { inboxRetention } from '../events/inbox.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { isOmniError } from '../kernel/errors.ts';
import { platformTenant } from '../kernel/event.ts';
import { derivedId } from '../kernel/ids.ts';
import type { Database, Store } from '../store/store.ts';
import { intakeKeeper } from './intake.keeper.ts';
import type { Account, Intake } from './intake.schema.ts';
import { accountConnected } from './webhook.events.ts';

/** A webhook whose signature was found good. */
export interface Delivery<D extends Readonly<Record<string, unknown>>> {
  readonly provider: Intake['provider'];
  readonly account: string;
  readonly eventId: string;
  readonly type: string;
  readonly eventType: EventType<D>;
  /** Where the delivery proves it, as a signed address of ours does. Else its account says it. */
  readonly tenant?: string;
  /** Id of the object that it is about. */
  readonly subject: string;
  /** When it happened, where the provider tells. Milliseconds since the Unix epoch. */
  readonly occurredAt?: number;
  readonly data: D;
}

export type Accepted = 'published' | 'duplicate' | 'parked';

export interface IntakeService {
  /**
   * Publishes the event, and then keeps the fact that the webhook came. When this returns, nothing can be lost any
   * more; when it throws, the provider is to retry. A webhook that comes again, or a crash between the two, publishes
   * the event again under the same id, and jobs know it by that: so the usual case costs one document and no outbox
   * entry. While the bus is down the event waits in the outbox, committed together with the intake.
   */
  accept<D extends Readonly<Record<string, unknown>>>(delivery: Delivery<D>): Promise<Accepted>;
  /** Says which tenant an account belongs to. Fails with `already-exists` when it belongs to another. */
  connect(provider: Intake['provider'], account: string, tenant: string): Promise<void>;
}

export interface IntakeOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly intake: Store<Intake>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly accounts: Store<Account>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const retention = 30 * 24 * 60 * 60 * 1000;
/** How late an instance learns that an account was connected. Milliseconds. */
const trustFor = 30_000;
const maxKnown = 10_000;
/** Half of what jobs remember an event for: what is older is looked up before it is published again. Milliseconds. */
const old = inboxRetention / 2;

const accountId = (provider: string, account: string): string => `${provider}:${account}`;

export const createIntakeService = ({
  database,
  intake,
  bus,
  accounts,
  makeEvent,
  clock,
}: IntakeOptions): IntakeService => {
  const publish = grouped(bus.publish, 100);
  const keep = intakeKeeper({ database, intake });
  const known = new Map<string, { readonly tenant: string; readonly until: number }>();

  const tenantOf = async (provider: string, account: string): Promise<string | undefined> => {
    const id = accountId(provider, account);
    const trusted = known.get(id);
    if (trusted !== undefined && trusted.until > clock.now()) return trusted.tenant;
    const tenant = (await accounts.get(id))?.value.tenant;
    if (tenant === undefined) return undefined;
    if (known.size >= maxKnown) known.clear();
    known.set(id, { tenant, until: clock.now() + trustFor });
    return tenant;
  };

  const release = (provider: Intake['provider'], account: string, tenant: string): Promise<void> =>
    database.transaction((transaction) => {
      const subject = accountId(provider, account);
      transaction.emit(makeEvent(accountConnected, { tenant, subject, data: { provider, account } }));
    });

  return {
    accept: async ({ provider, account, eventId, type, eventType, tenant: proven, subject, occurredAt, data }) => {
      const id = derivedId('whk', provider, account, eventId);
      const tenant = proven ?? (await tenantOf(provider, account));
      const event = makeEvent(eventType, { id, tenant: tenant ?? platformTenant, subject, data });
      const now = clock.now();
      const entry: Intake = {
        provider,
        account,
        type,
        tenant: tenant ?? null,
        receivedAt: isoTime(now),
        expiresAt: isoTime(now + retention),
        ...(tenant === undefined ? { parked: JSON.stringify(event) } : {}),
      };
      if (occurredAt !== undefined && now - occurredAt > old && (await intake.get(id)) !== undefined)
        return 'duplicate';
      const waits =
        tenant === undefined ||
        (await publish(event).then(
          () => false,
          () => true,
        ));
      const isNew = await keep({ id, entry, ...(waits && tenant !== undefined ? { event } : {}) });
      if (!isNew) return 'duplicate';
      if (tenant !== undefined) return 'published';
      // The account may have been connected since we looked, and its release may have come before this entry.
      const meanwhile = await tenantOf(provider, account);
      if (meanwhile !== undefined) await release(provider, account, meanwhile);
      return 'parked';
    },
    connect: async (provider, account, tenant) => {
      const id = accountId(provider, account);
      try {
        await accounts.create(id, { tenant, connectedAt: isoTime(clock.now()) });
      } catch (error) {
        const owner = isOmniError(error, 'already-exists') ? (await accounts.get(id))?.value.tenant : undefined;
        if (owner !== tenant) throw error;
      }
      await release(provider, account, tenant);
    },
  };
};
