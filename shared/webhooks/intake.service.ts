import type { Bus } from '../events/bus.ts';
import type { EventType, MakeEvent } from '../events/define-event.ts';
import { grouped } from '../events/grouped.ts';
import { inboxRetention } from '../events/inbox.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import { platformTenant } from '../kernel/event.ts';
import { derivedId } from '../kernel/ids.ts';
import { canonicalJson } from '../kernel/json.ts';
import { type TenantService, tenantStanding } from '../platform/index.ts';
import type { Database, Store } from '../store/store.ts';
import { accountId, type ClosedAccount, closedAccountId } from './closed-account.schema.ts';
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

/** `ignored`: its tenant is being erased, or was. */
export type Accepted = 'published' | 'duplicate' | 'parked' | 'ignored';

export interface IntakeService {
  /**
   * Publishes the event, and then keeps the fact that the webhook came. When this returns, nothing can be lost any
   * more; when it throws, the provider is to retry. A webhook that comes again, or a crash between the two, publishes
   * the event again under the same id, and jobs know it by that: so the usual case costs one document and no outbox
   * entry. While the bus is down the event waits in the outbox, committed together with the intake. Fails with
   * `unavailable` for a tenant whose erasure is about to begin: it may be restored before the provider tries again.
   */
  accept<D extends Readonly<Record<string, unknown>>>(delivery: Delivery<D>): Promise<Accepted>;
  /** Whose an account is; undefined where nobody has connected it, as far as this instance knows. */
  accountOf(provider: Intake['provider'], account: string): Promise<Account | undefined>;
  /** Of an account that is nobody's: whether the tenant that had it was erased. */
  isClosed(provider: Intake['provider'], account: string): Promise<boolean>;
  /** Says which tenant an account belongs to. Fails with `already-exists` when it belongs to another. */
  connect(
    provider: Intake['provider'],
    account: string,
    tenant: string,
    webhook?: NonNullable<Account['webhook']>,
  ): Promise<void>;
}

export interface IntakeOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly intake: Store<Intake>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly accounts: Store<Account>;
  readonly closedAccounts: Pick<Store<ClosedAccount>, 'get'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const retention = 30 * 24 * 60 * 60 * 1000;
/** How late an instance learns that an account was connected. Milliseconds. */
const trustFor = 30_000;
const maxKnown = 10_000;
/** Half of what jobs remember an event for: what is older is looked up before it is published again. Milliseconds. */
const old = inboxRetention / 2;

export const createIntakeService = ({
  database,
  intake,
  bus,
  accounts,
  closedAccounts,
  tenants,
  makeEvent,
  clock,
}: IntakeOptions): IntakeService => {
  const publish = grouped(bus.publish, 100);
  const keep = intakeKeeper({ database, intake });
  const standingOf = tenantStanding({ tenants, clock });
  const known = new Map<string, { readonly account: Account; readonly until: number }>();

  const accountOf = async (provider: Intake['provider'], account: string): Promise<Account | undefined> => {
    const id = accountId(provider, account);
    const trusted = known.get(id);
    if (trusted !== undefined && trusted.until > clock.now()) return trusted.account;
    const found = (await accounts.get(id))?.value;
    if (found === undefined) return undefined;
    if (known.size >= maxKnown) known.clear();
    known.set(id, { account: found, until: clock.now() + trustFor });
    return found;
  };
  const tenantOf = async (provider: Intake['provider'], account: string): Promise<string | undefined> =>
    (await accountOf(provider, account))?.tenant;

  /** An instance that still knows an account of a tenant that was erased must not write for it. */
  const mayKeep = async (tenant: string): Promise<boolean> => {
    const standing = await standingOf(tenant);
    if (standing === 'closing') throw new OmniError('unavailable', 'Nothing is taken for this tenant at the moment.');
    return standing === 'open';
  };

  /** To be asked after the account was looked for: the tombstone is there before that goes. */
  const isClosed: IntakeService['isClosed'] = async (provider, account) =>
    (await closedAccounts.get(closedAccountId(accountId(provider, account)))) !== undefined;

  /** Keeps which webhook the tenant's account has now. */
  const renew = async (id: string, tenant: string, webhook: Account['webhook']): Promise<boolean> => {
    const found = await accounts.get(id);
    if (found?.value.tenant !== tenant) return false;
    if (webhook !== undefined && canonicalJson(webhook) !== canonicalJson(found.value.webhook ?? null)) {
      await accounts.update(id, { ...found.value, webhook }, { revision: found.revision });
    }
    return true;
  };

  const release = (provider: Intake['provider'], account: string, tenant: string): Promise<void> =>
    database.transaction((transaction) => {
      const subject = accountId(provider, account);
      transaction.emit(makeEvent(accountConnected, { tenant, subject, data: { provider, account } }));
    });

  const take = async <D extends Readonly<Record<string, unknown>>>(
    { provider, account, eventId, type, eventType, subject, occurredAt, data }: Delivery<D>,
    tenant: string | undefined,
  ): Promise<Accepted> => {
    const id = derivedId('whk', provider, account, eventId);
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
    if (occurredAt !== undefined && now - occurredAt > old && (await intake.get(id)) !== undefined) return 'duplicate';
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
  };

  return {
    accept: async (delivery) => {
      const tenant = delivery.tenant ?? (await tenantOf(delivery.provider, delivery.account));
      const isTaken =
        tenant === undefined ? !(await isClosed(delivery.provider, delivery.account)) : await mayKeep(tenant);
      return isTaken ? take(delivery, tenant) : 'ignored';
    },
    accountOf,
    isClosed,
    connect: async (provider, account, tenant, webhook) => {
      const id = accountId(provider, account);
      const connectedAt = isoTime(clock.now());
      try {
        await accounts.create(id, { tenant, connectedAt, ...(webhook === undefined ? {} : { webhook }) });
      } catch (error) {
        if (!isOmniError(error, 'already-exists') || !(await renew(id, tenant, webhook))) throw error;
      }
      known.delete(id);
      await release(provider, account, tenant);
    },
  };
};
