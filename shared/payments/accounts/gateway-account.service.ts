import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Gateway, GatewayAccountIdentity, GatewayName } from '../gateways/gateway.ts';
import {
  type AccountIndex,
  accountIdOf,
  type Credentials,
  type GatewayAccount,
  type GatewayAccountSettings,
  type GatewayAccountView,
  gatewayNames,
  type Mode,
  type NewGatewayAccount,
} from './gateway-account.schema.ts';

/** Makes an adapter of what a tenant gave. Fails with `invalid-request` for credentials that lack something. */
export type OpenGateway = (
  name: GatewayName,
  options: { readonly credentials: Credentials; readonly livemode: boolean; readonly tenant: string },
) => Promise<Gateway>;

/** An account, ready to be called. */
export interface ConnectedGateway {
  readonly id: string;
  readonly account: GatewayAccount;
  readonly gateway: Gateway;
}

export interface GatewayAccountService {
  /**
   * Checks the credentials with the gateway, and keeps them. Fails with `already-exists` where the tenant has such an
   * account, or another tenant has this one, and with `forbidden` for live credentials of a sandbox.
   */
  connect(actor: Actor, input: NewGatewayAccount): Promise<GatewayAccountView>;
  list(actor: Actor): Promise<readonly GatewayAccountView[]>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<GatewayAccountView>;
  /** Replaces the settings; new credentials have to be of the same account. Fails with `not-found`. */
  update(actor: Actor, id: string, settings: GatewayAccountSettings): Promise<GatewayAccountView>;
  /**
   * Forgets the credentials. What was paid stays. Fails with `precondition-failed` while payments are open there:
   * without the credentials nobody would find out what becomes of them. Disable the account until they have ended.
   */
  remove(actor: Actor, id: string): Promise<void>;
  /** The accounts of a mode that are enabled. */
  usable(tenant: string, mode: Mode): Promise<readonly ConnectedGateway[]>;
  /** Also one that is disabled: what was begun there has to be ended. Fails with `not-found`. */
  open(tenant: string, id: string): Promise<ConnectedGateway>;
}

export interface GatewayAccountOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly accounts: TenantStore<GatewayAccount>;
  readonly index: Store<AccountIndex>;
  readonly openGateway: OpenGateway;
  readonly isSandbox: (tenant: string) => Promise<boolean>;
  /** How many payments at an account are not final, and of how many others something is still paid back. */
  readonly open: (tenant: string, account: string) => Promise<{ readonly payments: number; readonly refunds: number }>;
  /** Says to whom webhooks of an account belong. Fails with `already-exists`. */
  readonly claim: (gateway: GatewayName, account: GatewayAccountIdentity, tenant: string) => Promise<void>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

type Kind = Pick<GatewayAccount, 'gateway' | 'mode'>;

const maxOpen = 5_000;
const credentialsSchema = z.record(z.string(), z.string());
const noAccount = () => new OmniError('not-found', 'There is no such gateway account.');
export const indexId = (tenant: string, id: string): string => derivedId('gai', tenant, id);

export const createGatewayAccounts = (options: GatewayAccountOptions): GatewayAccountService => {
  const { database, accounts, index, openGateway, isSandbox, claim, audit, clock } = options;
  /** By tenant, account and revision: an adapter remembers how its gateway is. */
  const opened = new Map<string, Promise<Gateway>>();

  const connected = async (
    tenant: string,
    { id, revision, value }: Stored<GatewayAccount>,
  ): Promise<ConnectedGateway> => {
    const key = `${tenant}/${id}/${revision}`;
    let gateway = opened.get(key);
    if (gateway === undefined) {
      if (opened.size >= maxOpen) opened.clear();
      const credentials = credentialsSchema.parse(JSON.parse(value.credentials));
      gateway = openGateway(value.gateway, { credentials, livemode: value.mode === 'live', tenant });
      opened.set(key, gateway);
      // A failure is not kept for the next caller.
      gateway.catch(() => opened.delete(key));
    }
    return { id, account: value, gateway: await gateway };
  };

  /** Of a gateway that there is no adapter of here, too. */
  const viewOf = async (tenant: string, stored: Stored<GatewayAccount>): Promise<GatewayAccountView> => {
    const { credentials: _, ...account } = stored.value;
    const status = await connected(tenant, stored).then(
      ({ gateway }) => gateway.status(),
      () => ({ healthy: false, latencyMs: 0 }),
    );
    return { id: stored.id, ...account, ...status };
  };

  const find = async (tenant: string, id: string): Promise<Stored<GatewayAccount>> => {
    const stored = await accounts.of(tenant).get(id);
    if (stored === undefined) throw noAccount();
    return stored;
  };

  /** Whose the credentials are. Those of another mode are refused. */
  const identify = async (
    tenant: string,
    { gateway, mode }: Kind,
    credentials: Credentials,
  ): Promise<GatewayAccountIdentity> => {
    const opened = await openGateway(gateway, { credentials, livemode: mode === 'live', tenant });
    const identity = await opened.account();
    const { livemode } = identity;
    if (livemode !== (mode === 'live')) {
      throw new OmniError('invalid-request', `These are credentials of the ${livemode ? 'live' : 'test'} mode.`);
    }
    return identity;
  };

  const record = (transaction: Transaction, actor: Actor, action: string, id: string) =>
    audit.record(transaction, actor, {
      action: `payments.gateway-account.${action}`,
      target: { type: 'gateway-account', id },
      outcome: 'success',
    });

  const all = async (tenant: string): Promise<readonly Stored<GatewayAccount>[]> =>
    (await accounts.of(tenant).query({ limit: 2 * gatewayNames.length })).items;

  return {
    connect: async (actor, { gateway, mode, credentials, ...settings }) => {
      const { tenant } = actor;
      if (mode === 'live' && (await isSandbox(tenant))) {
        throw new OmniError('forbidden', 'A sandbox has accounts of the test mode only.');
      }
      const id = accountIdOf(gateway, mode);
      if ((await accounts.of(tenant).get(id)) !== undefined) {
        throw new OmniError('already-exists', 'The tenant has such an account. Change or remove that one.');
      }
      const identity = await identify(tenant, { gateway, mode }, credentials);
      await claim(gateway, identity, tenant);
      const providerAccount = identity.id;
      const now = isoTime(clock.now());
      const times = { createdAt: now, updatedAt: now };
      const sealed = JSON.stringify(credentials);
      const account: GatewayAccount = { gateway, mode, providerAccount, ...settings, ...times, credentials: sealed };
      await database.transaction(async (transaction) => {
        transaction.create(accounts.of(tenant), id, account);
        transaction.create(index, indexId(tenant, id), { tenant, account: id });
        await record(transaction, actor, 'connected', id);
      });
      return viewOf(tenant, await find(tenant, id));
    },
    list: async ({ tenant }) => Promise.all((await all(tenant)).map((stored) => viewOf(tenant, stored))),
    get: async ({ tenant }, id) => viewOf(tenant, await find(tenant, id)),
    update: async (actor, id, { credentials, ...settings }) => {
      const { value, revision } = await find(actor.tenant, id);
      if (credentials !== undefined) {
        const identity = await identify(actor.tenant, value, credentials);
        if (identity.id !== value.providerAccount) {
          throw new OmniError('invalid-request', 'These are credentials of another account.');
        }
        await claim(value.gateway, identity, actor.tenant);
      }
      const next: GatewayAccount = {
        ...value,
        ...settings,
        ...(credentials === undefined ? {} : { credentials: JSON.stringify(credentials) }),
        updatedAt: isoTime(clock.now()),
      };
      await database.transaction(async (transaction) => {
        transaction.update(accounts.of(actor.tenant), id, next, { revision });
        await record(transaction, actor, 'updated', id);
      });
      return viewOf(actor.tenant, await find(actor.tenant, id));
    },
    remove: async (actor, id) => {
      const { revision } = await find(actor.tenant, id);
      const { payments: open, refunds } = await options.open(actor.tenant, id);
      const many = (count: number, what: string): string => (count === 1 ? `1 ${what} is` : `${count} ${what}s are`);
      if (open > 0) {
        const message = `${many(open, 'payment')} still open there. Cancel them, or disable the account until they have ended.`;
        throw new OmniError('precondition-failed', message);
      }
      if (refunds > 0) {
        const message = `${many(refunds, 'payment')} still being paid back there. Disable the account until that has ended.`;
        throw new OmniError('precondition-failed', message);
      }
      await database.transaction(async (transaction) => {
        transaction.delete(accounts.of(actor.tenant), id, { revision });
        transaction.delete(index, indexId(actor.tenant, id));
        await record(transaction, actor, 'removed', id);
      });
    },
    usable: async (tenant, mode) => {
      const wanted = (await all(tenant)).filter(({ value }) => value.enabled && value.mode === mode);
      const opened = await Promise.allSettled(wanted.map((stored) => connected(tenant, stored)));
      return opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    },
    open: async (tenant, id) => connected(tenant, await find(tenant, id)),
  };
};
