import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import {
  createPasswordHasher,
  incidentViewSchema,
  signInResultSchema,
  userCollection,
  userRiskSchema,
} from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from '#tests/support/auth.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();

const { app, tenant, mails, events, person } = authWorld(runtime);

const { clock } = runtime;

const minute = 60_000;

const hour = 60 * minute;

const path = '/api/v1/threat-detection';

const berlin = '130.149.7.201';

const sydney = '129.78.5.8';

const laptop = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0';

let tenants = 0;

/** A tenant of its own for each test: what is counted in one says nothing of another. */
const newTenant = async (): Promise<{ readonly id: string; readonly key: string }> => {
  tenants += 1;
  const id = `victim-${tenants}`;
  await tenant(id);
  return { id, key: await runtime.key(id, ['threats:read', 'threats:write', 'security:read']) };
};

const send = (at: string, options: TestRequest = {}) => request(app, `${path}${at}`, options);

const idsOf = async (response: Response) =>
  pageSchema(z.looseObject({ id: z.string() })).parse(await response.json()).items;

const incidentsOf = async (key: string, query = '') => {
  await runtime.bus.idle();
  const items = await idsOf(await send(`/incidents?limit=200${query}`, { key }));
  return Promise.all(
    items.map(async ({ id }) => incidentViewSchema.parse(await (await send(`/incidents/${id}`, { key })).json())),
  );
};

interface From {
  readonly ip?: string;
  readonly knownDevice?: string;
  readonly userAgent?: string;
}

const signIn = (
  id: string,
  email: string,
  password: string,
  { ip = berlin, knownDevice, userAgent = laptop }: From = {},
) =>
  request(app, `${base}/sign-in`, {
    body: { tenant: id, email, password },
    headers: {
      'x-forwarded-for': ip,
      'user-agent': userAgent,
      ...(knownDevice === undefined ? {} : { 'omni-device': knownDevice }),
    },
  });

const challenged = (path: string, body: unknown, { ip = berlin, userAgent = laptop }: From) =>
  request(app, `/api/v1/mfa${path}`, { body, headers: { 'x-forwarded-for': ip, 'user-agent': userAgent } });

const answer = async (response: Response) => ({
  status: response.status,
  ...problemSchema.pick({ code: true, detail: true }).parse(await response.json()),
});

let hash: string | undefined;

/** Somebody with `goodPassword`. */
const member = async (id: string, email: string, roles: readonly string[] = ['member']): Promise<string> => {
  const { user } = await person(id, email, roles);
  const store = runtime.database.tenants(userCollection).of(id);
  const stored = await store.get(user);
  if (stored === undefined) throw new Error('The user is not there.');
  hash ??= await createPasswordHasher().hash(goodPassword);
  await store.update(user, { ...stored.value, passwordHash: hash });
  return user;
};

const completed = async (response: Response) => {
  const result = signInResultSchema.parse(await response.json());
  if (result.status !== 'complete') throw new Error('A second factor is asked for.');
  return result;
};

/** Signs in from one place on `days` days, and returns the token of the device. */
const habit = async (id: string, email: string, days: number): Promise<string> => {
  let knownDevice: string | undefined;
  for (let day = 0; day < days; day += 1) {
    const from = knownDevice === undefined ? {} : { knownDevice };
    const given = (await completed(await signIn(id, email, goodPassword, from))).knownDevice;
    knownDevice ??= given;
    if (day < days - 1) clock.advance(24 * hour);
  }
  await runtime.bus.idle();
  return knownDevice ?? '';
};

beforeAll(() => {
  clock.set(Date.parse('2026-03-02T09:00:00.000Z'));
});

describe('an unusual sign-in', () => {
  it('from Sydney an hour after Berlin is challenged, explained and told to the owner', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'traveller@example.com');
    const knownDevice = await habit(id, 'traveller@example.com', 4);
    clock.advance(hour);
    const from = { ip: sydney, userAgent: 'curl/8.5' };
    const asked = signInResultSchema.parse(
      await (await signIn(id, 'traveller@example.com', goodPassword, from)).json(),
    );
    if (asked.status === 'complete') throw new Error('Nothing is asked for.');
    // Who has no second factor is asked for a code from the mailbox.
    expect(asked.methods).toEqual(['email']);
    const { challenge } = asked;
    await challenged('/challenge/send', { challenge, method: 'email' }, from);
    await runtime.bus.idle();
    const code = mails.findLast(({ template }) => template === 'mfa-code')?.data;
    const proof = { method: 'email', code: z.object({ code: z.string() }).parse(code).code };
    await completed(await challenged('/challenge/verify', { challenge, proof }, from));

    await runtime.bus.idle();
    const risk = userRiskSchema.parse(await (await send(`/users/${user}/risk`, { key })).json());
    expect(risk).toMatchObject({ user, score: 76, assessed: { score: 76, decision: 'challenge' } });
    expect(risk.assessed?.signals.map(({ kind }) => kind)).toEqual(['impossible-travel', 'new-country', 'new-device']);
    expect(risk.assessed?.signals[0]?.reason).toMatch(/^16,\d{3} km in 60 minutes/);
    expect(risk.usual?.places.map(({ city }) => city)).toEqual(['Sydney', 'Berlin']);
    const [incident] = await incidentsOf(key, `&user=${user}`);
    expect(incident).toMatchObject({ kind: 'anomalous-sign-in', severity: 'medium', evidence: { score: 76 } });
    const [mail] = mails.filter(({ template, to }) => template === 'new-sign-in' && to === 'traveller@example.com');
    expect(mail?.data).toMatchObject({ device: 'curl/8.5', place: 'Sydney, AU' });

    // A week on it weighs half, and the owner at home was never bothered.
    clock.advance(7 * 24 * hour);
    expect(userRiskSchema.parse(await (await send(`/users/${user}/risk`, { key })).json()).score).toBe(38);
    const home = await completed(await signIn(id, 'traveller@example.com', goodPassword, { knownDevice }));
    expect(home.knownDevice).toBeUndefined();
  });

  it('is refused like a wrong password where a rule blocks, and its network is kept away', async () => {
    const { id, key } = await newTenant();
    await member(id, 'ada@example.com');
    await habit(id, 'ada@example.com', 4);
    const rules = [
      {
        on: 'sign-in',
        name: 'no-travel',
        when: { signals: ['impossible-travel'] },
        respond: ['block'],
        blockMinutes: 30,
      },
    ];
    const put = (revision: number, more = {}) =>
      send('/rules', { key, method: 'PUT', body: { rules, ...more }, headers: { 'if-match': `"${revision}"` } });
    expect((await put(0)).status).toBe(200);
    expect((await put(0)).status).toBe(412);
    clock.advance(hour);
    const wrong = await answer(await signIn(id, 'ada@example.com', 'wrong-password', { ip: sydney }));
    const blocked = await answer(await signIn(id, 'ada@example.com', goodPassword, { ip: sydney }));
    expect(blocked).toEqual(wrong);
    await runtime.bus.idle();
    expect((await signIn(id, 'ada@example.com', goodPassword, { ip: sydney })).status).toBe(429);
    expect((await signIn(id, 'ada@example.com', goodPassword)).status).toBe(200);
  });

  it('ends all sessions where a rule says so', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'ada@example.com');
    await habit(id, 'ada@example.com', 4);
    const rules = [
      { on: 'sign-in', name: 'end', when: { minScore: 50 }, respond: ['revoke-sessions', 'ask-for-new-password'] },
    ];
    await send('/rules', { key, method: 'PUT', body: { rules }, headers: { 'if-match': '"0"' } });
    clock.advance(hour);
    await signIn(id, 'ada@example.com', goodPassword, { ip: sydney });
    await runtime.bus.idle();
    expect((await runtime.database.tenants(userCollection).of(id).get(user))?.value.epoch).toBe(1);
    expect(mails.findLast(({ to }) => to === 'ada@example.com')?.template).toBe('password-reset');
  });

  it('changes nothing in a dry run, and is told all the same', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'ada@example.com');
    await habit(id, 'ada@example.com', 4);
    const rules = [{ on: 'sign-in', name: 'try', dryRun: true, when: { minScore: 50 }, respond: ['block'] }];
    await send('/rules', { key, method: 'PUT', body: { rules }, headers: { 'if-match': '"0"' } });
    clock.advance(hour);
    expect((await signIn(id, 'ada@example.com', goodPassword, { ip: sydney })).status).toBe(200);
    await runtime.bus.idle();
    const assessed = events.findLast(
      ({ type, subject }) => type === 'security.threat.sign-in-assessed' && subject === user,
    );
    expect(assessed?.data).toMatchObject({
      decision: 'allow',
      rules: [{ rule: 'try', dryRun: true, actions: ['block'] }],
    });
    const tried = await send('/rules/try', { key, body: { signals: [{ kind: 'impossible-travel', weight: 60 }] } });
    expect(await tried.json()).toEqual({
      score: 60,
      decision: 'allow',
      matched: [{ rule: 'try', dryRun: true, actions: ['block'] }],
    });
  });
});

describe('what is known of how somebody signs in', () => {
  it('is unreadable once their key is destroyed, and signing in goes on', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'ada@example.com');
    await habit(id, 'ada@example.com', 3);
    await runtime.keyRings.shred(id, user);
    clock.advance(hour);
    const { usual } = userRiskSchema.parse(await (await send(`/users/${user}/risk`, { key })).json());
    expect(usual).toBeNull();
    expect((await signIn(id, 'ada@example.com', goodPassword, { ip: sydney })).status).toBe(200);
    await runtime.bus.idle();
    expect(await runtime.deadLetters.list({ limit: 10 }).then(({ items }) => items)).toEqual([]);
  });
});
