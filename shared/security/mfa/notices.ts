import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { type EmailRequest, emailRequested } from '../../messaging/index.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import type { FactorMethod } from '../policy/security-policy.schema.ts';

/** What somebody is told by mail of their factors. */
export type Notice =
  | { readonly template: 'factor-added' | 'factor-removed'; readonly method: FactorMethod }
  | { readonly template: 'backup-code-used'; readonly left: number }
  | { readonly template: 'codes-blocked' }
  | { readonly template: 'factor-reset-requested'; readonly hours: number; readonly token: string }
  | { readonly template: 'factor-reset-completed' };

export interface Notices {
  /** A mail to the account's address. `key` names what it is about: one mail for each. */
  tell(
    tenant: string,
    user: { readonly id: string; readonly value: Pick<User, 'email' | 'name'> },
    notice: Notice,
    key: string,
  ): Promise<Writes>;
}

export interface NoticesOptions {
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  /** Where links lead of a tenant that names no app of its own. */
  readonly defaultAppUrl: string;
}

export const createNotices = ({ settings, makeEvent, clock, defaultAppUrl }: NoticesOptions): Notices => ({
  tell: async (tenant, { id, value: { email, name } }, notice, key) => {
    const app = ((await settings.of(tenant)).appUrl ?? defaultAppUrl).replace(/\/$/, '');
    // After the `#`, which browsers send to nobody: not in logs, not in Referer.
    const link = 'token' in notice ? `${app}/auth/factor-reset#token=${notice.token}` : `${app}/auth/security`;
    const about = { at: isoTime(clock.now()), link, ...(name === undefined ? {} : { name }) };
    const envelope = { to: email, locale: 'en', dedupeKey: `${notice.template}:${id}:${key}` };
    const mailOf = (): EmailRequest => {
      switch (notice.template) {
        case 'factor-added':
        case 'factor-removed':
          return { ...envelope, template: notice.template, data: { ...about, method: notice.method } };
        case 'backup-code-used':
          return { ...envelope, template: notice.template, data: { ...about, left: notice.left } };
        case 'factor-reset-requested':
          return { ...envelope, template: notice.template, data: { ...about, hours: notice.hours } };
        default:
          return { ...envelope, template: notice.template, data: about };
      }
    };
    const event = makeEvent(emailRequested, { tenant, subject: id, data: mailOf() });
    return (transaction) => transaction.emit(event);
  },
});
