import { createHmac } from 'node:crypto';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import {
  createPasswordHasher,
  mfaOverviewSchema,
  mfaSignInSchema,
  newTotpSchema,
  securityPolicySchema,
  signInResultSchema,
  tokensSchema,
  userCollection,
} from '#shared/security/index.ts';
import { authWorld, goodPassword, type SignedIn } from './auth.ts';
import { request, type TestRuntime } from './runtime.ts';

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const bytesOf = (secret: string): Buffer => {
  const bits = [...secret].map((letter) => base32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
};

/** What an authenticator app shows at a time, written from RFC 4226 (section 5.3) and RFC 6238 (section 4). */
export const appCode = (secret: string, milliseconds: number): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(milliseconds / 30_000)));
  const mac = createHmac('sha1', bytesOf(secret)).update(counter).digest();
  const offset = (mac[19] ?? 0) & 0x0f;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
};

/** Of six digits, but not this one. */
export const otherCode = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

type SignInResult = z.infer<typeof signInResultSchema>;
export type Challenge = Extract<SignInResult, { status: 'second-factor' }>;

export interface Person {
  readonly email: string;
  readonly user: string;
  /** The access token of their last session. */
  readonly key: string;
  readonly tokens: SignedIn;
}

const passwordHash = createPasswordHasher().hash(goodPassword);

/** The app that passkeys are made in, and the settings that allow it to. */
export const passkeyOrigin = 'https://app.example.com';
export const passkeys = { rpId: 'app.example.com', rpName: 'Example', origins: [passkeyOrigin] };

export const refusal = async (response: Response) => {
  const { status, code } = problemSchema.parse(await response.json());
  return [status, code];
};

/** What an access token says. */
export const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

/** The security function, and people in it who have second factors. */
export const mfaWorld = (runtime: TestRuntime) => {
  const world = authWorld(runtime);
  const { post, services } = world;
  let people = 0;

  const mfa = (path: string, body?: unknown, key?: string): Promise<Response> =>
    request(world.app, `/api/v1/mfa${path}`, {
      method: 'POST',
      ...(body === undefined ? {} : { body }),
      ...(key === undefined ? {} : { key }),
    });

  /** Somebody with a password, just signed in by it. */
  const person = async (tenant: string, roles: readonly string[] = ['member']): Promise<Person> => {
    people += 1;
    const email = `somebody-${people}@example.com`;
    const { id } = await services.users.create(tenant, { email, emailVerified: true, roles });
    const store = runtime.database.tenants(userCollection).of(tenant);
    const found = await store.get(id);
    if (found === undefined) throw new Error('The user is not there.');
    await store.update(id, { ...found.value, passwordHash: await passwordHash });
    const proof = { methods: ['pwd'], device: {} } as const;
    const tokens = await services.sessions.open(tenant, found, proof);
    return { email, user: id, key: tokens.accessToken, tokens };
  };

  const refreshed = async (there: Person): Promise<Person> => {
    const response = await post('/refresh', { refreshToken: there.tokens.refreshToken });
    const tokens = tokensSchema.parse(await response.json());
    return { ...there, key: tokens.accessToken, tokens };
  };

  /** An authenticator app more; what it shows now is used up. */
  const addTotp = async (there: Person): Promise<string> => {
    const { enrolment, secret } = newTotpSchema.parse(await (await mfa('/totp', undefined, there.key)).json());
    const code = appCode(secret, runtime.clock.now());
    const made = await mfa('/totp/confirm', { enrolment, code, name: 'My phone' }, there.key);
    if (made.status !== 201) throw new Error(await made.text());
    return secret;
  };

  /** Somebody with an authenticator app, whose next code is good. */
  const withTotp = async (tenant: string, roles?: readonly string[]): Promise<Person & { secret: string }> => {
    const there = await person(tenant, roles);
    const secret = await addTotp(there);
    runtime.clock.advance(30_000);
    return { ...(await refreshed(there)), secret };
  };

  const signInWith = async (tenant: string, email: string, more: object = {}): Promise<SignInResult> =>
    signInResultSchema.parse(await (await post('/sign-in', { tenant, email, password: goodPassword, ...more })).json());

  /** What is asked for after the password. */
  const challenged = async (tenant: string, email: string, more?: object): Promise<Challenge> => {
    const result = await signInWith(tenant, email, more);
    if (result.status !== 'second-factor') throw new Error('No second factor is asked for.');
    return result;
  };

  const answer = (challenge: string, proof: object, more: object = {}): Promise<Response> =>
    mfa('/challenge/verify', { challenge, proof, ...more });

  /** The last code to an address or number. */
  const codeTo = async (to: string): Promise<string> => {
    await runtime.bus.idle();
    const sent = world.events.findLast(({ data }) => data.template === 'mfa-code' && data.to === to);
    return z.object({ code: z.string() }).parse(sent?.data.data).code;
  };

  const setPolicy = async (tenant: string, policy: z.input<typeof securityPolicySchema>): Promise<void> => {
    const actor = systemActor(tenant, 'test');
    const { revision: expected } = await services.policyService.get(actor);
    const update = { policy: securityPolicySchema.parse(policy), expected, address: undefined, force: true };
    await services.policyService.update(actor, update);
  };

  const overview = async (key: string) =>
    mfaOverviewSchema.parse(await (await request(world.app, '/api/v1/mfa', { key })).json());

  /** The tokens of a sign-in that nothing more is asked of. */
  const opened = async (response: Response) => {
    const result = mfaSignInSchema.parse(await response.json());
    if (result.status !== 'complete') throw new Error('More is asked for.');
    return result;
  };

  /** What was mailed to an address, the oldest first. */
  const mailsTo = async (email: string) => {
    await runtime.bus.idle();
    return world.mails.filter(({ to }) => to === email).map(({ template }) => template);
  };

  /** What events told of somebody, the oldest first. */
  const eventsOf = async (user: string) => {
    await runtime.bus.idle();
    return world.events.filter(({ data }) => data.user === user).map(({ type }) => type);
  };

  return {
    ...world,
    mfa,
    overview,
    opened,
    mailsTo,
    eventsOf,
    person,
    refreshed,
    addTotp,
    withTotp,
    signInWith,
    challenged,
    answer,
    codeTo,
    setPolicy,
    now: () => runtime.clock.now(),
  };
};
