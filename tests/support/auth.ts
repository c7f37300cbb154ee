import type * as z from 'zod';
import { security } from '#functions/security/app.ts';
import { createServices, type SecurityServices } from '#functions/security/services.ts';
import { eventOfPush } from '#shared/events/push.ts';
import type { App } from '#shared/http/app.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { type EmailRequest, emailRequested } from '#shared/messaging/index.ts';
import {
  authSettingsInputSchema,
  passkeyCollection,
  signInResultSchema,
  type tokensSchema,
} from '#shared/security/index.ts';
import { mfaProfileCollection, noProfile } from '#shared/security/mfa/mfa.schema.ts';
import { factorResetCollection } from '#shared/security/mfa/reset.schema.ts';
import { trustedDeviceCollection } from '#shared/security/mfa/trusted-device.schema.ts';
import { request, type TestRuntime } from './runtime.ts';

/** Strong enough for every policy. */
export const goodPassword = 'quiet-otter-borrows-lamps';

export const base = '/api/v1/auth';

type Settings = z.input<typeof authSettingsInputSchema>;
export type SignedIn = z.infer<typeof tokensSchema>;

export interface AuthWorld {
  readonly app: App;
  readonly services: SecurityServices;
  /** Mails that were asked for, the oldest first. `await runtime.bus.idle()` before. */
  readonly mails: readonly EmailRequest[];
  /** All events. */
  readonly events: readonly DomainEvent[];
  /** A tenant with these settings; open for sign-ups. */
  tenant(id: string, settings?: Settings): Promise<void>;
  /** The token in the last mail to an address. */
  tokenTo(email: string): Promise<string>;
  post(path: string, body?: unknown, key?: string): Promise<Response>;
  /** An account that is open, with its first session. */
  person(tenant: string, email: string, roles?: readonly string[]): Promise<SignedIn>;
  signIn(tenant: string, email: string, password?: string): Promise<SignedIn>;
}

const makePasskey = (runtime: TestRuntime, tenant: string, user: string) =>
  runtime.database
    .tenants(passkeyCollection)
    .of(tenant)
    .create(`passkey-of-${user}`, {
      user,
      name: `phone of ${user}`,
      credential: 'x',
      publicKey: 'x',
      counter: 0,
      transports: [],
      backedUp: false,
      createdAt: '2026-01-01T00:00:00.000Z',
    });

const makeTrustedDevice = (runtime: TestRuntime, tenant: string, user: string, id = `device-of-${user}`) =>
  runtime.database
    .tenants(trustedDeviceCollection)
    .of(tenant)
    .create(id, {
      user,
      epoch: 0,
      device: { userAgent: `browser of ${user}` },
      createdAt: '2026-01-01T00:00:00.000Z',
      lastUsedAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2099-01-01T00:00:00.000Z',
    });

/** An authenticator app of somebody, and two resets that were asked for. */
const makeFactors = async (runtime: TestRuntime, tenant: string, user: string) => {
  const at = '2026-01-01T00:00:00.000Z';
  const totp = { id: `otp-of-${user}`, name: 'App', secret: 'ABCDEFGH', lastStep: 0, confirmedAt: at };
  const resets = [`rst_1${user.slice(4)}`, `rst_2${user.slice(4)}`] as const;
  const profile = { ...noProfile, totps: [totp], passkeys: 1, reset: resets[1] };
  await runtime.database.tenants(mfaProfileCollection).of(tenant).create(user, profile);
  const reset = {
    user,
    by: `admin-of-${tenant}`,
    reason: 'Lost phone',
    status: 'waiting',
    cancelHash: 'x',
  } as const;
  for (const id of resets) {
    const dueAt = '2099-01-01T00:00:00.000Z';
    await runtime.database
      .tenants(factorResetCollection)
      .of(tenant)
      .create(id, { ...reset, roles: ['member'], createdAt: at, dueAt });
  }
  const device = await makeTrustedDevice(runtime, tenant, user);
  return { factor: totp.id, device: device.id, reset: resets[1] };
};

/** An access token of a new owner of a tenant, who has another session besides, a passkey and a trusted device. */
export const accessToken = async (runtime: TestRuntime, tenant: string): Promise<string> => {
  const { users, sessions } = createServices(runtime);
  const email = `${runtime.newId('owner').toLowerCase()}@example.com`;
  const { id } = await users.create(tenant, { email, emailVerified: true, roles: ['owner'] });
  const user = await users.findByEmail(tenant, email);
  if (user?.id !== id) throw new Error('The user is not there.');
  const open = () => sessions.open(tenant, user, { methods: ['hwk'], device: {}, secondFactor: true });
  await open();
  await makePasskey(runtime, tenant, id);
  await runtime.database
    .tenants(mfaProfileCollection)
    .of(tenant)
    .create(id, { ...noProfile, passkeys: 1 });
  await makeTrustedDevice(runtime, tenant, id);
  return (await open()).accessToken;
};

/** What a tenant has by the security function's paths, and two of everything that is listed. */
export const makeIdentity = async (
  runtime: TestRuntime,
  tenant: string,
): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> => {
  const { apiKeys, authSettings, roles, serviceAccounts, sessions, users } = createServices(runtime);
  const actor = systemActor(tenant, 'test');
  const appUrl = `https://${tenant}.example.com`;
  const passkeys = { rpId: `${tenant}.example.com`, rpName: tenant, origins: [appUrl] };
  await roles.put(actor, 'data-analyst', { scopes: ['ai:read'] });
  await authSettings.put(actor, authSettingsInputSchema.parse({ appUrl, passkeys }));
  const twice = async <T>(make: (nth: number) => Promise<T>): Promise<T> => {
    await make(1);
    return make(2);
  };
  const key = await twice(() =>
    apiKeys.give(actor, { name: `key of ${tenant}`, scopes: ['ai:read'], requestsPerMinute: 1 }),
  );
  const account = await twice(() => serviceAccounts.create(actor, { name: 'ci', scopes: ['ai:read'] }));
  const user = await twice((nth) =>
    users.create(tenant, { email: `${nth}@${tenant}.example`, emailVerified: true, roles: ['member'] }),
  );
  const found = await users.findByEmail(tenant, user.email);
  const session = found && (await sessions.open(tenant, found, { methods: ['pwd'], device: {} })).session;
  const passkey = await makePasskey(runtime, tenant, user.id);
  const { factor, device, reset } = await makeFactors(runtime, tenant, user.id);
  return {
    [`${base}/passkeys/{id}`]: { id: passkey.id },
    '/api/v1/mfa/factors/{id}': { id: factor },
    '/api/v1/mfa/trusted-devices/{id}': { id: device },
    '/api/v1/mfa/resets/{id}/cancel': { id: reset },
    [`${base}/api-keys/{id}`]: { id: key.id },
    [`${base}/api-keys/{id}/rotate`]: { id: key.id },
    [`${base}/service-accounts/{id}`]: { id: account.id },
    [`${base}/service-accounts/{id}/rotate`]: { id: account.id },
    [`${base}/roles/{name}`]: { name: 'data-analyst' },
    [`${base}/users/{id}`]: { id: user.id },
    [`${base}/users/{id}/roles`]: { id: user.id },
    [`${base}/users/{id}/status`]: { id: user.id },
    [`${base}/sessions/{id}`]: { id: session ?? '' },
  };
};

/** The security function with its jobs, and what it would mail. */
export const authWorld = (runtime: TestRuntime): AuthWorld => {
  let services: SecurityServices | undefined;
  const app = runtime.start(security, (there) => {
    services = createServices(there);
    return services;
  });
  if (services === undefined) throw new Error('The function made no services.');
  const { users, authSettings, sessions } = services;
  const mails: EmailRequest[] = [];
  const events: DomainEvent[] = [];
  runtime.bus.subscribe('test.listen', async (body) => {
    const event = eventOfPush(body);
    events.push(event);
    if (event.type === emailRequested.type) mails.push(emailRequested.schema.parse(event.data));
    return 204;
  });

  const post: AuthWorld['post'] = (path, body, key) =>
    request(app, `${base}${path}`, {
      method: 'POST',
      ...(body === undefined ? {} : { body }),
      ...(key ? { key } : {}),
    });

  return {
    app,
    services,
    mails,
    events,
    post,
    tenant: async (id, settings = {}) => {
      await runtime.tenants.ensure(id, { name: id, settings: { requestsPerMinute: 1_000_000 } });
      const input = authSettingsInputSchema.parse({ signUp: true, ...settings });
      await authSettings.put(systemActor(id, 'test'), input);
    },
    tokenTo: async (email) => {
      await runtime.bus.idle();
      const mail = mails.findLast(({ to }) => to === email);
      const link = mail !== undefined && 'link' in mail.data ? mail.data.link : '';
      return link.split('#token=')[1] ?? '';
    },
    person: async (tenant, email, roles = ['member']) => {
      const { id } = await users.create(tenant, { email, emailVerified: true, roles });
      const user = await users.findByEmail(tenant, email);
      if (user?.id !== id) throw new Error('The user is not there.');
      return sessions.open(tenant, user, { methods: ['pwd'], device: {} });
    },
    signIn: async (tenant, email, password = goodPassword) => {
      const response = await post('/sign-in', { tenant, email, password });
      const result = signInResultSchema.parse(await response.json());
      if (result.status !== 'complete') throw new Error('A second factor is asked for.');
      return result;
    },
  };
};
