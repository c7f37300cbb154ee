import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import { emailRequested } from '../../messaging/index.ts';
import type {
  AuditLog,
  CouldStillGive,
  MayStillGive,
  Membership,
  RoleService,
  UserService,
} from '../../security/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Quotas } from '../quotas/quota.service.ts';
import type { TenantService } from '../tenants/tenant.service.ts';
import type { AcceptedInvitation, Invitation, InvitationView } from './invitation.schema.ts';

export interface InvitationInput {
  /** In its one form. */
  readonly email: string;
  readonly roles: readonly string[];
  readonly locale?: string | undefined;
}

export interface Acceptance {
  readonly token: string;
  readonly name?: string | undefined;
  /** Of a new account; without it the account is used by links and passkeys. One that is there keeps its own. */
  readonly password?: string | undefined;
}

export interface InvitationService {
  /**
   * Sends a mail whose link is good once, for 48 hours. Fails with `forbidden` for roles that the actor could not give,
   * `already-exists` for an address with an account or an invitation (who may invite may list both), `rate-limited`.
   */
  invite(actor: Actor, invitation: InvitationInput): Promise<InvitationView>;
  /** With what stands of each. Reads each sender and custom role of a page once, in at most a few round trips. */
  list(actor: Actor, request: PageRequest): Promise<Page<InvitationView>>;
  get(actor: Actor, id: string): Promise<InvitationView>;
  /** Another mail, for another 48 hours; the links before end. */
  resend(actor: Actor, id: string): Promise<InvitationView>;
  /** Its link is good no more from this moment. */
  revoke(actor: Actor, id: string): Promise<void>;
  /**
   * Opens an account, or gives the roles to the one that the address has. Of any number at once one succeeds. Fails with
   * `unauthenticated` for a link that is not good (any more), also where who invited could not give the roles now, and
   * with `precondition-failed` where the plan has no room.
   */
  accept(acceptance: Acceptance): Promise<AcceptedInvitation>;
}

export interface InvitationOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly invitations: TenantStore<Invitation>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly users: Pick<UserService, 'findByEmail' | 'get'>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly mayStillGive: MayStillGive;
  readonly couldStillGive: CouldStillGive;
  readonly membership: Pick<Membership, 'admit' | 'hash'>;
  readonly quotas: Pick<Quotas, 'unit' | 'daily'>;
  readonly audit: AuditLog;
  /** The secret of a link, what is stored of it, and the text that names its tenant too. */
  readonly secrets: {
    readonly create: () => string;
    readonly hash: (secret: string) => string;
    readonly text: (parts: { readonly tenant: string; readonly secret: string }) => string;
    readonly parse: (text: string) => { readonly tenant: string; readonly secret: string } | undefined;
  };
  /** Where links of a tenant lead, without a final slash. */
  readonly appUrlOf: (tenant: string) => Promise<string>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const hours = 48;
const maxAttempts = 40;

/** By default of one whose sender was just found to be allowed. */
const viewOf = (id: string, { secretHash: _, ...view }: Invitation, isGood = true): InvitationView => ({
  id,
  ...view,
  status: isGood ? 'pending' : 'void',
});

const refused = () => new OmniError('unauthenticated', 'This invitation is not valid any more. Ask for a new one.');

const toConflict = (error: unknown): unknown =>
  isOmniError(error, 'already-exists') ? new OmniError('revision-conflict', 'It was changed meanwhile.') : error;

const idOf = (tenant: string, email: string): string => derivedId('inv', tenant, email);

/** How invitations are mailed and noted down. */
const createSending = ({ tenants, users, audit, secrets, appUrlOf, makeEvent, clock }: InvitationOptions) => {
  const nameOf = async (actor: Actor): Promise<string> => {
    const own = actor.kind === 'user' ? (await users.get(actor, actor.id)).name : undefined;
    return own ?? (await tenants.get(actor.tenant)).name;
  };

  /** A new secret, and the mail that brings it. */
  const mail = async (
    actor: Actor,
    { email, roles: given, locale }: Pick<Invitation, 'email' | 'roles' | 'locale'>,
  ) => {
    const { tenant } = actor;
    const secret = secrets.create();
    const secretHash = secrets.hash(secret);
    const expiresAt = isoTime(clock.now() + hours * 3_600_000);
    const [appUrl, inviter] = await Promise.all([appUrlOf(tenant), nameOf(actor)]);
    // After the `#`, which browsers send to nobody.
    const link = `${appUrl}/auth/invitation#token=${secrets.text({ tenant, secret })}`;
    const data = {
      template: 'invitation',
      to: email,
      data: { inviter, role: given.join(', ').slice(0, 100), link, hours },
      locale,
      dedupeKey: secretHash,
      notAfter: expiresAt,
    } as const;
    const event = makeEvent(emailRequested, { tenant, subject: idOf(tenant, email), data });
    return { secretHash, expiresAt, send: (transaction: Transaction) => transaction.emit(event) };
  };

  const record = (
    transaction: Transaction,
    actor: Actor,
    action: string,
    id: string,
    { email, roles: given }: Invitation,
  ) =>
    audit.record(transaction, actor, {
      action: `platform.invitation.${action}`,
      target: { type: 'invitation', id },
      outcome: 'success',
      data: { roles: given },
      personal: { email },
      subject: id,
    });

  return { mail, record };
};

export const createInvitationService = (options: InvitationOptions): InvitationService => {
  const {
    database,
    invitations,
    tenants,
    users,
    roles,
    membership,
    quotas,
    secrets,
    mayStillGive,
    couldStillGive,
    clock,
  } = options;
  const { mail, record } = createSending(options);

  const find = async (tenant: string, id: string): Promise<Stored<Invitation>> => {
    const invitation = await invitations.of(tenant).get(id);
    if (invitation === undefined) throw new OmniError('not-found', 'There is no such invitation.');
    return invitation;
  };

  const viewsOf = async (tenant: string, found: readonly Stored<Invitation>[]): Promise<InvitationView[]> => {
    const offers = found.map(({ value: { invitedBy, roles } }) => ({ giver: invitedBy, roles }));
    const good = await couldStillGive(tenant, offers);
    return found.map(({ id, value }, i) => viewOf(id, value, good[i] === true));
  };

  const open = async (token: string): Promise<{ tenant: string; invitation: Stored<Invitation> }> => {
    const parsed = secrets.parse(token);
    if (parsed === undefined) throw refused();
    const { tenant, secret } = parsed;
    const where = [{ field: 'secretHash', op: '==', value: secrets.hash(secret) }] as const;
    const [invitation] = (await invitations.of(tenant).query({ where, limit: 1 })).items;
    if (invitation === undefined) throw refused();
    const active = await tenants.get(tenant).then(
      ({ status }) => status === 'active',
      () => false,
    );
    if (!active) throw refused();
    return { tenant, invitation };
  };

  const admit = async (
    { tenant, invitation }: Awaited<ReturnType<typeof open>>,
    member: { name?: string | undefined; passwordHash?: string | undefined },
  ) => {
    const { id, value, revision } = invitation;
    const { user, isNew, write } = await membership.admit(tenant, {
      email: value.email,
      roles: value.roles,
      ...member,
    });
    const seat = isNew ? await quotas.unit(tenant, 'members') : () => {};
    await database
      .transaction(async (transaction) => {
        if (!(await mayStillGive(transaction, tenant, value.invitedBy, value.roles))) throw refused();
        const by: Actor = { tenant, kind: 'user', id: user, scopes: new Set() };
        await record(transaction, by, 'accepted', id, value);
        transaction.delete(invitations.of(tenant), id, { revision });
        write(transaction);
        seat(transaction);
      })
      .catch((error: unknown) => {
        throw toConflict(isOmniError(error, 'not-found') ? refused() : error);
      });
    return { tenant, user, email: value.email, isNew };
  };

  return {
    invite: async (actor, { email, roles: given, locale = 'en' }) => {
      const { tenant } = actor;
      await roles.requireGrantable(actor, given);
      if ((await users.findByEmail(tenant, email)) !== undefined) {
        throw new OmniError('already-exists', 'This address has an account already.');
      }
      const id = idOf(tenant, email);
      return retrying(maxAttempts, async () => {
        const day = await quotas.daily(tenant, 'invitationsPerDay');
        const { secretHash, expiresAt, send } = await mail(actor, { email, roles: [...given], locale });
        const value: Invitation = {
          email,
          roles: [...new Set(given)],
          locale,
          invitedBy: { kind: actor.kind, id: actor.id },
          secretHash,
          sent: 1,
          createdAt: isoTime(clock.now()),
          expiresAt,
        };
        await database.transaction(async (transaction) => {
          await record(transaction, actor, 'created', id, value);
          transaction.create(invitations.of(tenant), id, value);
          day(transaction);
          send(transaction);
        });
        return viewOf(id, value);
      }).catch((error: unknown) => {
        throw isOmniError(error, 'already-exists')
          ? new OmniError('already-exists', 'This address has an invitation already: send that one again.')
          : error;
      });
    },
    list: async ({ tenant }, request) => {
      const page = await invitations.of(tenant).query(request);
      return { ...page, items: await viewsOf(tenant, page.items) };
    },
    get: async ({ tenant }, id) => {
      const { value } = await find(tenant, id);
      const [isGood] = await couldStillGive(tenant, [{ giver: value.invitedBy, roles: value.roles }]);
      return viewOf(id, value, isGood === true);
    },
    resend: (actor, id) =>
      retrying(maxAttempts, async () => {
        const { tenant } = actor;
        const { value: before, revision } = await find(tenant, id);
        await roles.requireGrantable(actor, before.roles);
        const day = await quotas.daily(tenant, 'invitationsPerDay');
        const { secretHash, expiresAt, send } = await mail(actor, before);
        const invitedBy = { kind: actor.kind, id: actor.id };
        const value: Invitation = { ...before, invitedBy, secretHash, expiresAt, sent: before.sent + 1 };
        await database.transaction(async (transaction) => {
          await record(transaction, actor, 'sent-again', id, value);
          transaction.update(invitations.of(tenant), id, value, { revision });
          day(transaction);
          send(transaction);
        });
        return viewOf(id, value);
      }),
    revoke: (actor, id) =>
      retrying(maxAttempts, async () => {
        const { value, revision } = await find(actor.tenant, id);
        await database.transaction(async (transaction) => {
          await record(transaction, actor, 'revoked', id, value);
          transaction.delete(invitations.of(actor.tenant), id, { revision });
        });
      }),
    accept: async ({ token, name, password }) => {
      const first = await open(token);
      const { email } = first.invitation.value;
      // Once, and outside of the transaction: it takes a while.
      const passwordHash = await membership.hash(first.tenant, { email, name, password });
      return retrying(maxAttempts, async () => admit(await open(token), { name, passwordHash }));
    },
  };
};
