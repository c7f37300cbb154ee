import type { Cache } from '../../cache/cache.ts';
import type { Actor } from '../../kernel/actor.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import type { AuditLog } from '../audit/audit.log.ts';
import type { Protector } from '../tokens/protector.ts';
import {
  type AuthSettings,
  type AuthSettingsInput,
  type AuthSettingsView,
  authSettingsSchema,
  type OidcProvider,
} from './auth-settings.schema.ts';

export interface AuthSettingsService {
  /** What holds in a tenant; the defaults where it has said nothing. Up to 30 s old. */
  of(tenant: string): Promise<AuthSettings>;
  view(actor: Actor): Promise<AuthSettingsView>;
  /**
   * Replaces all. Fails with `forbidden` for a sign-up role that the actor could not give, and for who is no owner where
   * another provider is to open accounts that are there, or links in mails are to lead elsewhere.
   */
  put(actor: Actor, settings: AuthSettingsInput): Promise<AuthSettingsView>;
  /** The secret that our client has at a provider. */
  clientSecretOf(tenant: string, name: string, provider: OidcProvider): Promise<string | undefined>;
}

export interface AuthSettingsOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly settings: TenantStore<AuthSettings>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly cache: Cache;
  readonly protector: Protector;
}

const id = 'settings';
/** Seconds. */
const cacheFor = 30;

const viewOf = ({ providers, ...settings }: AuthSettings): AuthSettingsView => ({
  ...settings,
  providers: Object.fromEntries(
    Object.entries(providers).map(([name, { clientSecret, ...provider }]) => [
      name,
      { ...provider, hasClientSecret: clientSecret !== undefined },
    ]),
  ),
});

/** Whether an issuer comes to open accounts that are there by their addresses: whoever runs it can open every one. */
const opensMore = (next: AuthSettingsInput['providers'], before: AuthSettings['providers']): boolean =>
  Object.entries(next).some(([name, { issuer, linkByEmail }]) => {
    const there = before[name];
    return linkByEmail && !(there?.linkByEmail === true && there.issuer === issuer);
  });

/** Whoever runs the app that links lead to gets all that opens accounts: resets of passwords, and sign-ins. */
const leadsElsewhere = (next: AuthSettingsInput, before: AuthSettings | undefined): boolean =>
  next.appUrl !== undefined && next.appUrl !== before?.appUrl;

/** The names alone: what they say may be secret. */
const changedFields = (next: AuthSettings, before: AuthSettings): readonly string[] => {
  const old = new Map<string, unknown>(Object.entries(before));
  const now = new Map<string, unknown>(Object.entries(next));
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((field) => canonicalJson(now.get(field) ?? null) !== canonicalJson(old.get(field) ?? null))
    .sort();
};

export const createAuthSettingsService = (options: AuthSettingsOptions): AuthSettingsService => {
  const { database, settings, roles, audit, cache, protector } = options;
  const contextOf = (tenant: string, name: string): string => `oidc-client-secret:${tenant}:${name}`;
  const read = async (tenant: string) => settings.of(tenant).get(id);
  const parse = (value: unknown): AuthSettings => authSettingsSchema.parse(value);
  const cached = cache.reader(cacheFor, parse);

  const sealed = async (
    tenant: string,
    providers: AuthSettingsInput['providers'],
    before: AuthSettings['providers'],
  ): Promise<AuthSettings['providers']> =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(providers).map(async ([name, { clientSecret, ...provider }]) => {
          const there = before[name];
          // A secret must not follow its name to another issuer, which could then ask for it.
          const kept = there?.issuer === provider.issuer ? there.clientSecret : undefined;
          const secret =
            clientSecret === undefined ? kept : await protector.protect(clientSecret, contextOf(tenant, name));
          return [name, { ...provider, ...(secret === undefined ? {} : { clientSecret: secret }) }] as const;
        }),
      ),
    );

  return {
    of: (tenant) => cached(`auth-settings:${tenant}`, async () => (await read(tenant))?.value ?? parse({})),
    view: async ({ tenant }) => viewOf((await read(tenant))?.value ?? parse({})),
    put: async (actor, input) => {
      await roles.requireGrantable(actor, [input.signUpRole]);
      const before = await read(actor.tenant);
      const known = before?.value.providers ?? {};
      if (opensMore(input.providers, known) || leadsElsewhere(input, before?.value))
        await roles.requireGrantable(actor, ['owner']);
      const next: AuthSettings = { ...input, providers: await sealed(actor.tenant, input.providers, known) };
      const store = settings.of(actor.tenant);
      await database.transaction(async (transaction) => {
        if (before === undefined) transaction.create(store, id, next);
        else transaction.update(store, id, next, { revision: before.revision });
        await audit.record(transaction, actor, {
          action: 'security.auth-settings.updated',
          target: { type: 'auth-settings', id },
          outcome: 'success',
          data: { changed: changedFields(next, before?.value ?? parse({})) },
        });
      });
      await cache.delete(`auth-settings:${actor.tenant}`);
      return viewOf(next);
    },
    clientSecretOf: async (tenant, name, { clientSecret }) =>
      clientSecret === undefined ? undefined : protector.unprotect(clientSecret, contextOf(tenant, name)),
  };
};
