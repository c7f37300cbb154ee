import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { type EmailRequest, emailRequested } from '../../messaging/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { hashOf, linkText, newSecret, parseLink } from '../tokens/opaque-token.ts';
import type { AuthSettingsService } from './auth-settings.service.ts';
import { type IdentityLink, type LinkPurpose, linkMinutes } from './link.schema.ts';
import type { User } from './user.schema.ts';

/** What belongs into a transaction. */
export type Writes = (transaction: Transaction) => void;

export interface NewLink {
  readonly purpose: LinkPurpose;
  readonly user: string;
  readonly email: string;
  /** For a change of address: the one that it is to take the place of. */
  readonly from?: string | undefined;
  readonly epoch: number;
  readonly name?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly locale?: string | undefined;
}

export interface FoundLink {
  readonly tenant: string;
  readonly link: Stored<IdentityLink>;
  readonly user: Stored<User>;
}

/** What somebody is told of their account. */
export type News = { readonly passwordChanged: true } | { readonly newEmail: string };

export interface Links {
  /** A new link and the mail that brings it, both written by what it returns. */
  make(tenant: string, link: NewLink): Promise<Writes>;
  /** A mail to the address that the account has now, of what just happened to it. */
  tell(tenant: string, user: Stored<User>, of: News): Promise<Writes>;
  /**
   * Uses a link up, together with what `effect` writes; of concurrent users one succeeds. Fails with
   * `unauthenticated` for a link that is unknown, used, expired, for something else, older than the user's epoch, or
   * of an address that the account has no more.
   */
  spend(text: string, purpose: LinkPurpose, effect: (found: FoundLink) => Promise<Writes> | Writes): Promise<FoundLink>;
}

export interface LinksOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly links: TenantStore<IdentityLink>;
  readonly users: TenantStore<User>;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
  /** Where links lead of a tenant that names no app of its own. */
  readonly defaultAppUrl: string;
}

const templates = {
  'sign-up': 'verify-email',
  'sign-in': 'magic-link',
  'password-reset': 'password-reset',
  'email-change': 'verify-email',
} as const satisfies Record<LinkPurpose, EmailRequest['template']>;

const refused = () => new OmniError('unauthenticated', 'This link is not valid any more. Ask for a new one.');

/** Users change rarely: who loses this often meets something else. */
const maxAttempts = 5;

const hidden = (email: string): string => `${email.slice(0, 1)}…${email.slice(email.lastIndexOf('@'))}`;

export const createLinks = (options: LinksOptions): Links => {
  const { database, links, users, settings, makeEvent, clock, defaultAppUrl } = options;

  const appOf = async (tenant: string): Promise<string> =>
    ((await settings.of(tenant)).appUrl ?? defaultAppUrl).replace(/\/$/, '');

  const find = async (text: string, purpose: LinkPurpose): Promise<FoundLink> => {
    const parsed = parseLink(text);
    if (parsed === undefined) throw refused();
    const { tenant, secret } = parsed;
    const link = await links.of(tenant).get(hashOf(secret));
    if (link === undefined || link.value.purpose !== purpose) throw refused();
    const user = await users.of(tenant).get(link.value.user);
    if (user?.value.status !== 'active' || user.value.epoch !== link.value.epoch) throw refused();
    // Whoever reads the mail of an address that the account had once is a stranger now.
    const bound = purpose === 'email-change' ? link.value.from : link.value.email;
    if (bound !== user.value.email) throw refused();
    return { tenant, link, user };
  };

  return {
    make: async (tenant, { purpose, user, email, from, epoch, name, passwordHash, locale }) => {
      const secret = newSecret();
      const minutes = linkMinutes[purpose];
      const now = clock.now();
      const expiresAt = isoTime(now + minutes * 60_000);
      // After the `#`, which browsers send to nobody: not in logs, not in Referer.
      const link = `${await appOf(tenant)}/auth/${purpose}#token=${linkText({ tenant, secret })}`;
      const id = hashOf(secret);
      const mail: EmailRequest = {
        template: templates[purpose],
        to: email,
        data: { link, minutes, ...(name === undefined ? {} : { name }) },
        locale: locale ?? 'en',
        dedupeKey: id,
        notAfter: expiresAt,
      };
      const event = makeEvent(emailRequested, { tenant, subject: user, data: mail });
      const stored: IdentityLink = {
        purpose,
        user,
        email,
        epoch,
        createdAt: isoTime(now),
        expiresAt,
        ...(from === undefined ? {} : { from }),
        ...(name === undefined ? {} : { name }),
        ...(passwordHash === undefined ? {} : { passwordHash }),
      };
      return (transaction) => {
        transaction.create(links.of(tenant), id, stored);
        transaction.emit(event);
      };
    },
    tell: async (tenant, { id, revision, value: { email, name } }, of) => {
      const about = {
        at: isoTime(clock.now()),
        link: `${await appOf(tenant)}/auth/security`,
        ...(name === undefined ? {} : { name }),
      };
      const envelope = { to: email, locale: 'en', dedupeKey: `told:${id}:${hashOf(revision)}` };
      const mail: EmailRequest =
        'newEmail' in of
          ? { ...envelope, template: 'email-changed', data: { ...about, newEmail: hidden(of.newEmail) } }
          : { ...envelope, template: 'password-changed', data: about };
      const event = makeEvent(emailRequested, { tenant, subject: id, data: mail });
      return (transaction) => transaction.emit(event);
    },
    spend: async (text, purpose, effect) => {
      for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
        const found = await find(text, purpose);
        const { tenant, link } = found;
        const write = await effect(found);
        try {
          await database.transaction((transaction) => {
            transaction.delete(links.of(tenant), link.id, { revision: link.revision });
            write(transaction);
          });
          return found;
        } catch (error) {
          // Either the link is used up, which the next look finds, or the user was changed meanwhile.
          if (!isOmniError(error, 'revision-conflict') && !isOmniError(error, 'not-found')) throw error;
        }
      }
      throw new OmniError('revision-conflict', 'The account was changed meanwhile. Try again.');
    },
  };
};
