import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Sessions } from '../sessions/session.service.ts';
import type { LinkBudget } from '../threats/link-budget.ts';
import { type Device, emailChanged, type Origin, passwordChanged } from './identity.events.ts';
import type { Links, Writes } from './links.ts';
import type { PasswordHasher } from './password.ts';
import type { CheckPassword } from './password-policy.ts';
import type { RequirePassword } from './password-proof.ts';
import type { User } from './user.schema.ts';
import { emailReservation } from './user.service.ts';

export interface AccountService {
  /** Ends all sessions. Fails with `unauthenticated` and `invalid-request`. */
  resetPassword(token: string, password: string, device: Device): Promise<void>;
  /** Ends all other sessions. Fails with `forbidden` where the current password is not right, and as `RequirePassword`. */
  changePassword(
    actor: Actor,
    passwords: { readonly current?: string | undefined; readonly next: string },
    device: Origin,
  ): Promise<void>;
  /**
   * Sends a link to the new address. Whether somebody has it is told to who can read its mail alone. As for passwords,
   * and fails with `rate-limited` where the address, or the network, was sent too many.
   */
  requestEmailChange(actor: Actor, email: string, password: string | undefined, device: Origin): Promise<void>;
  /** Tells the old address. Fails with `unauthenticated`, and with `already-exists` when the address is taken. */
  confirmEmailChange(token: string, device: Device): Promise<void>;
}

export interface AccountServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly userStore: TenantStore<User>;
  readonly links: Links;
  readonly linkBudget: LinkBudget;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly sessions: Pick<Sessions, 'current' | 'keep'>;
  readonly passwords: PasswordHasher;
  readonly requirePassword: RequirePassword;
  readonly checkPassword: CheckPassword;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

export const createAccountService = (options: AccountServiceOptions): AccountService => {
  const { database, userStore, links, linkBudget, policy, sessions, passwords, requirePassword, makeEvent, clock } =
    options;

  const checkPassword = async (tenant: string, password: string, { email, name }: Pick<User, 'email' | 'name'>) =>
    options.checkPassword(password, (await policy.of(tenant)).passwords, [email, name ?? '', tenant]);

  const changed = ({ value }: Stored<User>, change: Partial<User>): User => ({
    ...value,
    ...change,
    updatedAt: isoTime(clock.now()),
  });

  const setPassword = async (
    tenant: string,
    user: Stored<User>,
    passwordHash: string,
    about: { readonly how: 'changed' | 'reset'; readonly device: Device },
  ): Promise<Writes> => {
    const epoch = user.value.epoch + 1;
    // Who set it by a link has shown to read the mail.
    const shown = about.how === 'reset' ? ({ emailVerified: true, passwordBy: 'link' } as const) : {};
    const { passwordBy: _, ...before } = user.value;
    const told = await links.tell(tenant, user, { passwordChanged: true });
    const event = makeEvent(passwordChanged, { tenant, subject: user.id, data: { user: user.id, ...about } });
    return (transaction) => {
      transaction.update(
        userStore.of(tenant),
        user.id,
        changed({ ...user, value: before }, { passwordHash, epoch, ...shown }),
        {
          revision: user.revision,
        },
      );
      told(transaction);
      transaction.emit(event);
    };
  };

  return {
    resetPassword: async (token, password, device) => {
      let hash: Promise<string> | undefined;
      await links.spend(token, 'password-reset', async ({ tenant, user }) => {
        await checkPassword(tenant, password, user.value);
        hash ??= passwords.hash(password);
        return setPassword(tenant, user, await hash, { how: 'reset', device });
      });
    },
    changePassword: async (actor, { current, next }, device) => {
      const there = await sessions.current(actor);
      const { user } = there;
      await requirePassword(actor.tenant, user, current, device);
      await checkPassword(actor.tenant, next, user.value);
      const write = await setPassword(actor.tenant, user, await passwords.hash(next), { how: 'changed', device: {} });
      const keep = sessions.keep(actor, there, user.value.epoch + 1);
      await database.transaction((transaction) => {
        write(transaction);
        keep(transaction);
      });
    },
    requestEmailChange: async (actor, email, password, device) => {
      const { user } = await sessions.current(actor);
      await requirePassword(actor.tenant, user, password, device);
      const { epoch, name, email: from } = user.value;
      const { tenant } = actor;
      const mail = await links.make(tenant, { purpose: 'email-change', user: user.id, email, from, epoch, name });
      if (await linkBudget.within({ tenant, email, purpose: 'email-change', device }, mail)) return;
      throw new OmniError('rate-limited', 'There were too many mails. Look for the last one.', { retryAfter: 3_600 });
    },
    confirmEmailChange: async (token, device) => {
      await links.spend(token, 'email-change', async ({ tenant, link, user }) => {
        const { email } = link.value;
        const told = await links.tell(tenant, user, { newEmail: email });
        const event = makeEvent(emailChanged, { tenant, subject: user.id, data: { user: user.id, device } });
        return (transaction) => {
          if (email !== user.value.email) {
            transaction.release(tenant, emailReservation, user.value.email);
            transaction.reserve(tenant, emailReservation, email, user.id);
          }
          transaction.update(userStore.of(tenant), user.id, changed(user, { email, emailVerified: true }), {
            revision: user.revision,
          });
          told(transaction);
          transaction.emit(event);
        };
      });
    },
  };
};
