import { randomInt } from 'node:crypto';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import type { Device } from '../identity/identity.events.ts';
import type { LinkPurpose } from '../identity/link.schema.ts';
import type { Writes } from '../identity/links.ts';
import { type GuardRecord, guardId } from './guard.schema.ts';
import { callerOf, networkOf, unknownNetwork } from './networks.ts';

export interface MailRequest {
  readonly tenant: string;
  /** To whom. */
  readonly email: string;
  readonly purpose: LinkPurpose;
  /** From where it was asked for. */
  readonly device: Device;
}

export interface LinkBudget {
  /**
   * Commits what `write` writes, the mail among it, where address and caller have one left in this hour. Where they
   * have not it commits something else in as many trips, without an event, and gives false. Whether there is an
   * account is asked by nothing here, so it is told by nothing.
   */
  within(request: MailRequest, write: Writes): Promise<boolean>;
}

export interface LinkBudgetOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly guards: TenantStore<GuardRecord>;
  readonly clock: Clock;
}

const hour = 3_600_000;
/** Mails with a link of one purpose to one address in an hour. */
const perAddress = 5;
/** Mails that one caller may ask for in an hour, to whomever. Behind one address there can be a whole office. */
const perCaller = 100;
/** Documents that share the writes of what is not sent: each takes about one sustained write a second. */
const shards = 16;

/** Keeps anybody from filling somebody's mailbox, or many, with links that nobody asked for. */
export const createLinkBudget = ({ database, guards, clock }: LinkBudgetOptions): LinkBudget => {
  /** What is known of the caller, read without a lock: whoever shares an address does not wait for the others. */
  const mayAsk = async (tenant: string, { ip }: Device, id: string): Promise<boolean> => {
    const network = networkOf(ip);
    if (network === unknownNetwork) return true;
    const [asked, block] = await guards.of(tenant).getMany([id, guardId.block('network', network)]);
    const count = asked?.value.kind === 'failures' ? asked.value.count : 0;
    return block === undefined && count < perCaller;
  };

  return {
    within: async ({ tenant, email, purpose, device }, write) => {
      const store = guards.of(tenant);
      const now = clock.now();
      const ofAddress = derivedId('lnk', 'address', sha256(email), purpose);
      const ofCaller = derivedId('lnk', 'caller', callerOf(device.ip), String(Math.floor(now / hour)));
      const counted = { kind: 'failures', expiresAt: isoTime(now + 2 * hour) } as const;
      const isOpen = await mayAsk(tenant, device, ofCaller);
      try {
        return await database.transaction(async (transaction) => {
          const found = await transaction.get(store, ofAddress);
          const before = found?.value.kind === 'attempts' ? found.value.at : [];
          const at = before.filter((one) => Math.abs(now - one) < hour);
          if (!isOpen || at.length >= perAddress) {
            const unsent = derivedId('lnk', 'unsent', String(randomInt(shards)));
            transaction.increment(store, unsent, { count: 1 }, counted);
            return false;
          }
          const value: GuardRecord = { kind: 'attempts', at: [...at, now], expiresAt: isoTime(now + hour) };
          if (found === undefined) transaction.create(store, ofAddress, value);
          else transaction.update(store, ofAddress, value, { revision: found.revision });
          if (device.ip !== undefined) transaction.increment(store, ofCaller, { count: 1 }, counted);
          write(transaction);
          return true;
        });
      } catch (error) {
        // So many ask for this address at once that one of them has its mail under way.
        if (isOmniError(error, 'revision-conflict')) return false;
        throw error;
      }
    },
  };
};
