import { afterAll, describe, expect, it } from 'vitest';
import { authWorld, goodPassword } from '#tests/support/auth.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { startRangeServer } from '#tests/support/threats.ts';
import { problemSchema } from '../../http/problem.ts';
import { systemActor } from '../../kernel/actor.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { createPasswordHasher } from '../identity/password.ts';
import { userCollection } from '../identity/user.schema.ts';
import { createSignInService, type FirstFactor, type SecondFactorDecision } from '../sessions/sign-in.service.ts';

import { emptyBehaviour, riskProfileCollection, withSignIn } from './profile.ts';

const stolen = 'tall-giraffe-eats-clouds';
const ranges = await startRangeServer({ [stolen]: 3 });
afterAll(() => ranges.stop());

const berlin = { ip: '130.149.7.201', userAgent: 'Firefox' };
const sydney = { ip: '129.78.5.8', userAgent: 'curl' };
const hour = 3_600_000;

const calls: string[] = [];
const driver = embeddedDriver();
const runtime = await testRuntime({
  environment: { OMNI_BREACHED_PASSWORDS_URL: ranges.baseUrl },
  driver: {
    ...driver,
    get: (keys) => {
      calls.push('get');
      return driver.get(keys);
    },
    commit: (writes) => {
      calls.push('commit');
      return driver.commit(writes);
    },
    transaction: (work) => {
      calls.push('transaction');
      return driver.transaction(work);
    },
  },
});
const world = authWorld(runtime);
const { services, post, mails } = world;
await world.tenant('acme');

/** Somebody who signs in from Berlin with a password. */
const somebody = async (email: string, password: string) => {
  const { user: id } = await world.person('acme', email);
  await runtime.bus.idle();
  const store = runtime.database.tenants(userCollection).of('acme');
  const user = await store.get(id);
  if (user === undefined) throw new Error('The user is not there.');
  const passwordHash = await createPasswordHasher().hash(password);
  const stored = await store.update(id, { ...user.value, passwordHash });
  const place = await services.findPlace(berlin.ip);
  const behaviour = [1, 2, 3, 4]
    .map((n) => ({ at: runtime.clock.now() - n * 24 * hour, event: `evt_${n}`, device: berlin, place }))
    .reduce(withSignIn, emptyBehaviour);
  const profiles = runtime.database.tenants(riskProfileCollection).of('acme');
  await profiles.update(id, { user: id, behaviour, updatedAt: '2026-01-01T00:00:00.000Z' });
  runtime.clock.advance(hour);
  return stored;
};

describe('a sign-in', () => {
  it('is judged by two reads, and nothing is written where it is usual', async () => {
    const user = await somebody('usual@example.com', goodPassword);
    const first: FirstFactor = { tenant: 'acme', user, method: 'pwd', device: berlin };
    await services.risk.assess(first);
    calls.length = 0;
    expect(await services.risk.assess(first)).toEqual({
      score: 0,
      signals: [],
      decision: 'allow',
      isKnownDevice: false,
    });
    expect(calls).toEqual(['get', 'get']);
  });

  it('that is risky asks for a second factor whatever the policy says', async () => {
    const user = await somebody('risky@example.com', goodPassword);
    const seen: FirstFactor[] = [];
    const expiresAt = '2026-12-31T00:00:00.000Z';
    const signIns = createSignInService({
      ...services,
      database: runtime.database,
      userStore: runtime.database.tenants(userCollection),
      policy: services.policyService,
      passwords: createPasswordHasher(),
      secondFactor: {
        prepare:
          () =>
          async (first): Promise<SecondFactorDecision> => {
            seen.push(first);
            return first.risk === 'elevated'
              ? { challenge: { challenge: 'ch_1', methods: ['otp'], enrolment: false, expiresAt } }
              : { secondFactor: false };
          },
      },
    });
    const first: FirstFactor = { tenant: 'acme', user, method: 'fed', device: berlin };
    expect(await signIns.finish(first)).toMatchObject({ status: 'complete' });
    expect(await signIns.finish({ ...first, device: sydney })).toMatchObject({
      status: 'second-factor',
      challenge: 'ch_1',
    });
    expect(seen.map(({ risk }) => risk)).toEqual([undefined, 'elevated']);
  });

  it('with a breached password opens an incident, and a link for a new one is mailed', async () => {
    const email = 'breached@example.com';
    const user = await somebody(email, stolen);
    expect((await post('/sign-in', { tenant: 'acme', email, password: stolen })).status).toBe(200);
    await runtime.bus.idle();
    const actor = systemActor('acme', 'test');
    const { items } = await services.incidentService.list(actor, { limit: 10, user: user.id });
    expect(items).toMatchObject([{ kind: 'breached-password', severity: 'low', user: user.id }]);
    expect(mails.findLast(({ to }) => to === email)?.template).toBe('password-reset');
    expect(JSON.stringify(world.events)).not.toContain(stolen);
  });

  it('is not held up by a list that is down', async () => {
    const email = 'unlisted@example.com';
    await somebody(email, goodPassword);
    ranges.behave({ status: 503 });
    expect((await post('/sign-in', { tenant: 'acme', email, password: goodPassword })).status).toBe(200);
  });
});

describe('a breached password', () => {
  it('is refused when it is set: by sign-up, change and reset', async () => {
    const refused = async (response: Response) => problemSchema.parse(await response.json()).errors?.[0]?.message;
    const signUp = post('/sign-up', { tenant: 'acme', email: 'new@example.com', password: stolen });
    expect(await refused(await signUp)).toContain('stolen');

    const email = 'changing@example.com';
    await somebody(email, goodPassword);
    const { accessToken } = await world.signIn('acme', email);
    const change = post('/password/change', { current: goodPassword, password: stolen }, accessToken);
    expect(await refused(await change)).toContain('stolen');

    await post('/password/forgot', { tenant: 'acme', email });
    const token = await world.tokenTo(email);
    expect(await refused(await post('/password/reset', { token, password: stolen }))).toContain('stolen');
    // What was refused has not used the link up.
    expect((await post('/password/reset', { token, password: 'another-otter-mends-lamps' })).status).toBe(204);
  });
});
