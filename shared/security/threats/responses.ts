import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import { type EmailRequest, emailRequested } from '../../messaging/index.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import { linkRequested } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import { sessionRevoked } from '../sessions/session.events.ts';
import { putBlock } from './block.service.ts';
import { type Block, type GuardRecord, guardId } from './guard.schema.ts';
import type { SignInAction } from './threat-rules.schema.ts';

/** What rules ask to be done. */
export interface Response {
  /** The same for the same cause, so that nobody gets two mails for it. */
  readonly cause: string;
  readonly actions: ReadonlySet<SignInAction>;
  readonly user?: string | undefined;
  readonly block?: Pick<Block, 'target' | 'value' | 'user' | 'incident'> & {
    readonly minutes: number;
    readonly reason: string;
  };
  /** What the mails say. */
  readonly at: string;
  readonly what: string;
  readonly detail: string;
  readonly device: string;
  readonly place: string;
}

export interface Responses {
  /** Reads, and returns what is to be written in the same transaction. */
  prepare(transaction: Transaction, tenant: string, response: Response): Promise<Writes>;
}

export interface ResponsesOptions {
  readonly guards: TenantStore<GuardRecord>;
  readonly users: TenantStore<User>;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  readonly defaultAppUrl: string;
}

/** Of each of the two roles. */
const maxAdministrators = 20;

export const createResponses = (options: ResponsesOptions): Responses => {
  const { guards, users, settings, makeEvent, clock, defaultAppUrl } = options;

  const appOf = async (tenant: string): Promise<string> =>
    ((await settings.of(tenant)).appUrl ?? defaultAppUrl).replace(/\/$/, '');

  const administratorsOf = async (tenant: string): Promise<readonly Stored<User>[]> => {
    const found = await Promise.all(
      ['owner', 'admin'].map((role) =>
        users.of(tenant).query({ where: [{ field: 'roles', op: 'contains', value: role }], limit: maxAdministrators }),
      ),
    );
    const byId = new Map(found.flatMap(({ items }) => items).map((user) => [user.id, user]));
    return [...byId.values()].filter(({ value }) => value.status === 'active' && value.emailVerified);
  };

  const mail = (tenant: string, cause: string, user: Stored<User>, request: EmailRequest) =>
    makeEvent(emailRequested, {
      id: derivedId('evt', 'threat mail', tenant, cause, request.template, user.id),
      tenant,
      subject: user.id,
      data: request,
    });

  const about = ({ id, value: { email, name } }: Stored<User>, cause: string) => ({
    to: email,
    locale: 'en',
    dedupeKey: derivedId('threat', cause, id),
    named: name === undefined ? {} : { name },
  });

  const mailsOf = async (tenant: string, response: Response, user: Stored<User> | undefined) => {
    const { actions, cause, at, what, detail, device, place } = response;
    const app = await appOf(tenant);
    const administrators = actions.has('notify-admins') ? await administratorsOf(tenant) : [];
    const told = administrators.map((one) => {
      const { named, ...envelope } = about(one, cause);
      const data = { what, detail, at, link: `${app}/security/threats`, ...named };
      return mail(tenant, cause, one, { ...envelope, template: 'security-alert', data });
    });
    if (user === undefined || !actions.has('notify-user')) return told;
    const { named, ...envelope } = about(user, cause);
    const data = { at, device, place, link: `${app}/auth/security`, ...named };
    return [...told, mail(tenant, cause, user, { ...envelope, template: 'new-sign-in', data })];
  };

  const blockOf = async (transaction: Transaction, tenant: string, { block, actions }: Response): Promise<Writes> => {
    if (block === undefined || !actions.has('block')) return () => {};
    const { minutes, ...target } = block;
    const there = await transaction.get(guards.of(tenant), guardId.block(target.target, target.value));
    const now = clock.now();
    const expiresAt = isoTime(now + minutes * 60_000);
    // Neither a longer one nor an administrator's own is shortened or changed by a rule.
    const standing = there?.value.kind === 'block' ? there.value : undefined;
    if (standing !== undefined && (standing.by !== 'rules' || standing.expiresAt >= expiresAt)) return () => {};
    const next: Block = {
      ...target,
      kind: 'block',
      by: 'rules',
      sparesKnownDevices: true,
      createdAt: isoTime(now),
      expiresAt,
    };
    return (writing) => putBlock(writing, { guards, makeEvent, tenant, there, byKind: 'system' }, next);
  };

  return {
    prepare: async (transaction, tenant, response) => {
      const { actions } = response;
      const user = response.user === undefined ? undefined : await transaction.get(users.of(tenant), response.user);
      const [mails, block] = await Promise.all([
        mailsOf(tenant, response, user),
        blockOf(transaction, tenant, response),
      ]);
      return (writing) => {
        for (const event of mails) writing.emit(event);
        block(writing);
        if (user === undefined) return;
        if (actions.has('revoke-sessions')) {
          const next = { ...user.value, epoch: user.value.epoch + 1, updatedAt: isoTime(clock.now()) };
          writing.update(users.of(tenant), user.id, next, { revision: user.revision });
          const data = { user: user.id, reason: 'revoked', by: 'rules', byKind: 'system' } as const;
          writing.emit(makeEvent(sessionRevoked, { tenant, subject: user.id, data }));
        }
        if (actions.has('ask-for-new-password')) {
          const data = { purpose: 'password-reset' as const, email: user.value.email, device: {} };
          writing.emit(makeEvent(linkRequested, { tenant, subject: user.id, data }));
        }
      };
    },
  };
};
