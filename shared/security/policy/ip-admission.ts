import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import type { Principal } from '../../kernel/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import { doneBy } from '../identity/identity.events.ts';
import { type IpRange, isWithin, parseAddress, parseRanges } from './ip-ranges.ts';
import type { StoredSecurityPolicy } from './security-policy.schema.ts';
import { policyId } from './security-policy.service.ts';

/** A good credential came from an address that its tenant does not allow. At most one a minute of each. */
export const addressRefused = defineEvent(
  'security.address.refused',
  z.object({
    ...doneBy,
    /** Absent where nobody knows it. */
    ip: z.string().optional(),
  }),
);

export interface IpAdmissionOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly policies: TenantStore<StoredSecurityPolicy>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

interface Known {
  readonly ranges: readonly IpRange[];
  readonly until: number;
}

/** Milliseconds for which an instance trusts what it read. */
const trust = 30_000;
/** Milliseconds in which the same refusal is told once. */
const quiet = 60_000;
const maxKnown = 10_000;

/** Keeps a map from growing with what callers choose. */
const keep = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key);
  map.set(key, value);
  const oldest = map.size > maxKnown ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
};

/** Holds requests to the allow-list of their tenant. A warm decision reads nothing and is synchronous. */
export const ipAdmission = ({ database, policies, makeEvent, clock }: IpAdmissionOptions) => {
  const known = new Map<string, Known>();
  const loading = new Map<string, Promise<Known>>();
  const told = new Map<string, number>();

  const load = async (tenant: string): Promise<Known> => {
    const list = (await policies.of(tenant).get(policyId))?.value.ipAllowList ?? [];
    const loaded = { ranges: parseRanges(list), until: clock.now() + trust };
    keep(known, tenant, loaded);
    return loaded;
  };
  /** Requests that come at once share one read. */
  const loadOnce = (tenant: string): Promise<Known> => {
    const running = loading.get(tenant) ?? load(tenant).finally(() => loading.delete(tenant));
    loading.set(tenant, running);
    return running;
  };

  const tell = async ({ actor: { tenant, kind, id } }: Principal, ip: string | undefined): Promise<false> => {
    const key = JSON.stringify([tenant, id, ip]);
    const last = told.get(key) ?? Number.NEGATIVE_INFINITY;
    if (Math.abs(clock.now() - last) < quiet) return false;
    keep(told, key, clock.now());
    const data = { by: id, byKind: kind, ...(ip === undefined ? {} : { ip }) };
    await database.transaction((transaction) =>
      transaction.emit(makeEvent(addressRefused, { tenant, subject: id, data })),
    );
    return false;
  };

  const decide = (principal: Principal, text: string | undefined, { ranges }: Known): boolean | Promise<boolean> => {
    if (ranges.length === 0) return true;
    const address = text === undefined ? undefined : parseAddress(text);
    if (address !== undefined && isWithin(address, ranges)) return true;
    return tell(principal, address?.toString());
  };

  return {
    admits: (principal: Principal, address: string | undefined): boolean | Promise<boolean> => {
      const { tenant } = principal.actor;
      const now = clock.now();
      const found = known.get(tenant);
      // A clock that was set back must not make anything live longer.
      const isFresh = found !== undefined && now < found.until && now >= found.until - trust;
      return isFresh
        ? decide(principal, address, found)
        : loadOnce(tenant).then((loaded) => decide(principal, address, loaded));
    },
  };
};
