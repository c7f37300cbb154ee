import { expect, it } from 'vitest';
import { createPasswordHasher, userCollection } from '#shared/security/index.ts';
import type { Driver, Write } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { gathered } from '#shared/store/gathered.ts';
import { authWorld, goodPassword } from '#tests/support/auth.ts';
import { testRuntime } from '#tests/support/runtime.ts';

/** A driver that gathers reads as Firestore's does, and keeps what each round trip was for. */
const tripping = (driver: Driver) => {
  const trips: string[] = [];
  const nameOf = ({ collection }: { readonly collection: string }): string => collection.split('/').at(-1) ?? '';
  const tell = (kind: string, names: readonly string[]): void => {
    trips.push(`${kind} ${[...new Set(names)].sort().join(' ')}`);
  };
  const written = (writes: readonly Write[]): void => {
    tell(
      'write',
      writes.map(({ key }) => nameOf(key)),
    );
  };
  const watched: Driver = {
    ...driver,
    get: gathered(async (keys) => {
      if (keys.length > 0) tell('get', keys.map(nameOf));
      return driver.get(keys);
    }, 300),
    commit: async (writes) => {
      written(writes);
      return driver.commit(writes);
    },
    query: async (collection, query) => {
      tell('query', [nameOf({ collection })]);
      return driver.query(collection, query);
    },
    transaction: (work) =>
      driver.transaction(async (reader) => {
        const done = await work(reader);
        written(done.writes);
        return done;
      }),
  };
  return { trips, driver: watched };
};

const { trips, driver } = tripping(embeddedDriver());
const runtime = await testRuntime({ driver });
const world = await authWorld(runtime);
await world.tenant('acme');
const { user: id } = await world.person('acme', 'ada@example.com');
const users = runtime.database.tenants(userCollection).of('acme');
const ada = await users.get(id);
if (ada === undefined) throw new Error('The user is not there.');
await users.update(id, { ...ada.value, passwordHash: await createPasswordHasher().hash(goodPassword) });
await world.signIn('acme', 'ada@example.com');

const trial = async (email: string, password: string) => {
  // Jobs of what was before are none of its trips.
  await runtime.bus.idle();
  trips.length = 0;
  const { status } = await world.post('/sign-in', { tenant: 'acme', email, password });
  return { status, trips: [...trips] };
};

const before = ['get signInGuards tenantRecords unique', 'write signInGuards', 'get mfaProfiles riskProfiles users'];

it('a sign-in by password takes three trips before the password is looked at, and one commit after', async () => {
  const { status, trips: taken } = await trial('ada@example.com', goodPassword);
  expect(status).toBe(200);
  expect(taken.slice(0, 4)).toEqual([...before, 'write outbox sessions signInGuards']);
});

it.each([
  ['of somebody with a wrong password', 'ada@example.com', 'not-her-password'],
  ['of nobody', 'nobody@example.com', goodPassword],
])('one %s reads the same', async (_what, email, password) => {
  const { status, trips: taken } = await trial(email, password);
  expect(status).toBe(401);
  expect(taken.slice(0, 3)).toEqual(before);
});

it('a link that is asked for takes as many trips up to its commit whether it is mailed or there were too many', async () => {
  const ask = async () => {
    await runtime.bus.idle();
    trips.length = 0;
    expect((await world.post('/magic-link', { tenant: 'acme', email: 'ada@example.com' })).status).toBe(202);
    return trips.slice(0, 2);
  };
  const asked = [];
  for (let i = 0; i < 7; i += 1) asked.push(await ask());
  const kinds = asked.map((taken) => taken.map((trip) => trip.split(' ')[0]));
  expect(kinds).toEqual(asked.map(() => kinds[0]));
  expect(asked.map((taken) => taken[1])).toEqual([
    ...Array.from({ length: 5 }, () => 'write outbox signInGuards'),
    ...Array.from({ length: 2 }, () => 'write signInGuards'),
  ]);
});
