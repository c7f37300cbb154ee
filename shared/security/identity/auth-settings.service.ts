import type { Cache } from '../../cache/cache.ts';
import type { Actor } from '../../kernel/actor.ts';
import type { TenantStore } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
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
   * another provider is to open accounts that are there.
   */
  put(actor: Actor, settings: AuthSettingsInput): Promise<AuthSettingsView>;
  /** The secret that our client has at a provider. */
  clientSecretOf(tenant: string, name: string, provider: OidcProvider): Promise<string | undefined>;
}

export interface AuthSettingsOptions {
  readonly settings: TenantStore<AuthSettings>;
  readonly roles: Pick<RoleService, 'requireGrantable'>;
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

export const createAuthSettingsService = (options: AuthSettingsOptions): AuthSettingsService => {
  const { settings, roles, cache, protector } = options;
  const contextOf = (tenant: string, name: string): string => `oidc-client-secret:${tenant}:${name}`;
  const read = async (tenant: string) => settings.of(tenant).get(id);
  const parse = (value: unknown): AuthSettings => authSettingsSchema.parse(value);

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
    of: (tenant) =>
      cache.getOrLoad(`auth-settings:${tenant}`, cacheFor, parse, async () => (await read(tenant))?.value ?? parse({})),
    view: async ({ tenant }) => viewOf((await read(tenant))?.value ?? parse({})),
    put: async (actor, input) => {
      await roles.requireGrantable(actor, [input.signUpRole]);
      const before = await read(actor.tenant);
      const known = before?.value.providers ?? {};
      if (opensMore(input.providers, known)) await roles.requireGrantable(actor, ['owner']);
      const next: AuthSettings = { ...input, providers: await sealed(actor.tenant, input.providers, known) };
      const store = settings.of(actor.tenant);
      if (before === undefined) await store.create(id, next);
      else await store.update(id, next, { revision: before.revision });
      await cache.delete(`auth-settings:${actor.tenant}`);
      return viewOf(next);
    },
    clientSecretOf: async (tenant, name, { clientSecret }) =>
      clientSecret === undefined ? undefined : protector.unprotect(clientSecret, contextOf(tenant, name)),
  };
};
