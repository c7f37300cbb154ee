import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryLogger } from '../../telemetry/index.ts';
import { distanceBetween, ipPlaces, type Place } from './ip-places.ts';
import { callerOf, networkNamed, networkOf } from './networks.ts';
import { type Behaviour, emptyBehaviour, hoursOf, type SeenSignIn, withSignIn } from './profile.ts';
import { scoreOf } from './risk.schema.ts';
import { type Circumstances, signalsOf } from './signals.ts';
import { threatRulesSchema } from './threat-rules.schema.ts';
import { decisionOf, judgeIncident, judgeSignIn } from './threat-rules.ts';

const hour = 3_600_000;
const start = Date.parse('2026-03-02T09:00:00.000Z');
const logger = memoryLogger();
const findPlace = ipPlaces({ logger });

const berlin: Place = { country: 'DE', city: 'Berlin', latitude: 52.52, longitude: 13.4, radius: 50 };
const potsdam: Place = { country: 'DE', city: 'Potsdam', latitude: 52.4, longitude: 13.06, radius: 50 };
const sydney: Place = { country: 'AU', city: 'Sydney', latitude: -33.87, longitude: 151.21, radius: 50 };
const laptop = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' };

const history = (count: number, place: Place | undefined = berlin): Behaviour =>
  Array.from({ length: count }, (_, i) => ({
    at: start + i * 24 * hour,
    event: `evt_${i}`,
    device: laptop,
    place,
  })).reduce(withSignIn, emptyBehaviour);
const last = (count: number) => start + (count - 1) * 24 * hour;

const now = (change: Partial<Circumstances>): Circumstances => ({
  at: last(5) + hour,
  device: laptop,
  isKnownDevice: false,
  place: berlin,
  failures: 0,
  breached: false,
  ...change,
});
const kinds = (behaviour: Behaviour, change: Partial<Circumstances>) =>
  signalsOf(behaviour, now(change)).map(({ kind }) => kind);

describe('the database of addresses', () => {
  it.each([
    ['130.149.7.201', 'DE', 'Berlin'],
    ['::ffff:130.149.7.201', 'DE', 'Berlin'],
    ['129.78.5.8', 'AU', 'Sydney'],
    ['2a00:1450:4001:800::', 'DE', 'Frankfurt am Main'],
  ])('says where %s is', async (ip, country, city) => {
    expect(await findPlace(ip)).toMatchObject({ country, city, radius: 50 });
  });

  it('knows how little it knows', async () => {
    const place = await findPlace('85.214.132.117');
    expect(place).toMatchObject({ country: 'DE', radius: 1_000 });
    expect(place).not.toHaveProperty('city');
  });

  it.each(['10.0.0.1', '127.0.0.1', '::1', 'nonsense', '0x7f.1', undefined])('knows nothing of %s', async (ip) => {
    expect(await findPlace(ip)).toBeUndefined();
  });

  it('may be missing: sign-in goes on without places', async () => {
    const missing = ipPlaces({ path: '/nowhere/places.mmdb', logger });
    expect(await missing('130.149.7.201')).toBeUndefined();
    expect(await missing('129.78.5.8')).toBeUndefined();
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });
});

describe('a distance', () => {
  it('is that of a great circle', () => {
    // Berlin to Sydney, and a quarter of the equator.
    expect(distanceBetween(berlin, sydney)).toBeCloseTo(16_090, -2);
    expect(distanceBetween({ latitude: 0, longitude: 0 }, { latitude: 0, longitude: 90 })).toBeCloseTo(10_007.6, 0);
    expect(distanceBetween({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 })).toBeCloseTo(
      111.2,
      0,
    );
  });

  it('is no less than nothing, no more than half the earth, and the same both ways', () => {
    const point = fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    });
    fc.assert(
      fc.property(point, point, (a, b) => {
        const distance = distanceBetween(a, b);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(distance).toBeLessThan(20_016);
        expect(distance).toBeCloseTo(distanceBetween(b, a), 6);
      }),
      { seed: 7 },
    );
  });
});

describe('a network', () => {
  it.each([
    ['203.0.113.77', '203.0.113.0/24', '203.0.113.77'],
    ['::ffff:203.0.113.77', '203.0.113.0/24', '203.0.113.77'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1:2::/64'],
    ['nonsense', 'unknown', 'unknown'],
    [undefined, 'unknown', 'unknown'],
  ])('of %s is %s, and its caller %s', (ip, network, caller) => {
    expect(networkOf(ip)).toBe(network);
    expect(callerOf(ip)).toBe(caller);
  });

  it.each([
    ['203.0.113.77', '203.0.113.0/24'],
    ['203.0.113.0/24', '203.0.113.0/24'],
    ['2001:db8:1:2::/64', '2001:db8:1:2::/64'],
    ['203.0.113.0/16', undefined],
    ['0.0.0.0/0', undefined],
    ['example.com', undefined],
  ])('named %s is %s', (text, network) => {
    expect(networkNamed(text)).toBe(network);
  });
});

describe('signals', () => {
  it('are none where everything is as always', () => {
    expect(kinds(history(5), {})).toEqual([]);
    expect(
      kinds(history(5), { place: potsdam, device: { userAgent: laptop.userAgent.replace('140.0', '141.0.2') } }),
    ).toEqual([]);
  });

  it('are none for who has no history, wherever and however they come', () => {
    expect(kinds(emptyBehaviour, { place: sydney, device: { userAgent: 'curl/8' } })).toEqual([]);
  });

  it('tell Berlin to Sydney in an hour, and not in two days', () => {
    expect(kinds(history(5), { place: sydney })).toEqual(['impossible-travel', 'new-country']);
    expect(kinds(history(5), { place: sydney, at: last(5) + 48 * hour })).toEqual(['new-country']);
    const [signal] = signalsOf(history(5), now({ place: sydney }));
    expect(signal).toMatchObject({ weight: 60 });
    expect(signal?.reason).toMatch(/16,\d{3} km in 60 minutes/);
  });

  it('take the places to be as near as their accuracy allows', () => {
    const vague = { ...sydney, radius: 9_000 };
    expect(kinds(history(5, { ...berlin, radius: 7_000 }), { place: vague })).not.toContain('impossible-travel');
    expect(kinds(history(5), { place: vague, at: last(5) })).toContain('impossible-travel');
  });

  it('tell travel also where the later one is told of first, and where both are at once', () => {
    expect(kinds(history(5), { place: sydney, at: last(5) - hour })).toContain('impossible-travel');
    expect(kinds(history(5), { place: sydney, at: last(5) })).toContain('impossible-travel');
  });

  it('weigh little for who is often in both places, as through a VPN', () => {
    const both = withSignIn(history(5), { at: last(5) - 12 * hour, event: 'evt_vpn', device: laptop, place: sydney });
    const found = signalsOf(both, now({ place: sydney }));
    expect(found).toMatchObject([{ kind: 'impossible-travel', weight: 20 }]);
    expect(decisionOf(judgeSignIn(threatRulesSchema.parse({}).rules, found).actions)).toBe('allow');
  });

  it('tell a new device, unless it shows its token', () => {
    const device = { userAgent: 'Safari on iPhone' };
    expect(kinds(history(5), { device })).toEqual(['new-device']);
    expect(kinds(history(5), { device, isKnownDevice: true })).toEqual([]);
  });

  it('tell an unusual hour after twenty sign-ins', () => {
    const night = last(25) + 18 * hour;
    expect(kinds(history(25), { at: night })).toEqual(['unusual-hour']);
    expect(kinds(history(25), { at: last(25) + 24 * hour + 2 * hour - 1 })).toEqual([]);
    expect(kinds(history(10), { at: last(10) + 18 * hour })).toEqual([]);
  });

  it('tell failures just before, and a breached password', () => {
    expect(signalsOf(history(5), now({ failures: 2 }))).toEqual([]);
    expect(signalsOf(history(5), now({ failures: 6 }))).toMatchObject([{ kind: 'recent-failures', weight: 30 }]);
    expect(kinds(history(5), { breached: true })).toEqual(['breached-password']);
  });
});

describe('a score', () => {
  const weights = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 100 }) }), { maxLength: 8 });

  it('is 0 to 100, does not depend on the order, and only rises with each signal', () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 100 }), (signals, weight) => {
        const score = scoreOf(signals);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(100);
        expect(scoreOf(signals.toReversed())).toBe(score);
        expect(scoreOf([...signals, { weight }])).toBeGreaterThanOrEqual(score);
      }),
      { seed: 7 },
    );
    expect(scoreOf([{ weight: 60 }])).toBe(60);
    expect(scoreOf([{ weight: 60 }, { weight: 25 }])).toBe(70);
  });
});

describe('a profile', () => {
  it('is the same whatever the order and however often its sign-ins are told', () => {
    const signIn = fc.record({
      at: fc.integer({ min: start, max: start + 90 * 24 * hour }),
      event: fc.uuid(),
      device: fc.record({
        userAgent: fc.constantFrom(...Array.from({ length: 30 }, (_, i) => `agent ${'x'.repeat(i)}`)),
      }),
      place: fc.constantFrom(undefined, ...Array.from({ length: 30 }, (_, i) => ({ ...berlin, city: `city ${i}` }))),
    });
    const add = (all: readonly SeenSignIn[]) => all.reduce(withSignIn, emptyBehaviour);
    fc.assert(
      fc.property(fc.uniqueArray(signIn, { selector: ({ event }) => event, maxLength: 100 }), fc.nat(), (all, seed) => {
        const shuffled = [...all, ...all.slice(0, 10)].sort((a, b) =>
          `${a.event}${seed % 7}`.localeCompare(`${b.event}${seed % 5}`),
        );
        const profile = add(all);
        expect(add(shuffled)).toEqual(profile);
        expect(add(all.toReversed())).toEqual(profile);
        expect(profile.recent.length).toBeLessThanOrEqual(60);
        expect(profile.places.length).toBeLessThanOrEqual(20);
        expect(profile.devices.length).toBeLessThanOrEqual(20);
        expect(hoursOf(profile).reduce((sum, count) => sum + count, 0)).toBe(profile.recent.length);
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});

describe('rules', () => {
  const { rules } = threatRulesSchema.parse({});
  const signal = (weight: number) => ({ kind: 'new-device' as const, weight, reason: '' });

  it('ask by default for nothing below 30, a fresh proof above, and a second factor from 50', () => {
    const decide = (weight: number) => decisionOf(judgeSignIn(rules, [signal(weight)]).actions);
    expect([29, 30, 49, 50, 100].map(decide)).toEqual(['allow', 'step-up', 'step-up', 'challenge', 'challenge']);
  });

  it('that run dry are told of and do nothing', () => {
    const dry = rules.map((rule) => ({ ...rule, dryRun: true }));
    const { matched, actions } = judgeSignIn(dry, [signal(60)]);
    expect(matched.map(({ rule }) => rule)).toEqual(['step-up-when-unusual', 'challenge-when-risky']);
    expect(actions.size).toBe(0);
  });

  it('block networks for stuffing, from medium severity', () => {
    expect([...judgeIncident(rules, { kind: 'credential-stuffing', severity: 'medium' }).actions]).toEqual([
      'block',
      'notify-admins',
    ]);
    expect(judgeIncident(rules, { kind: 'credential-stuffing', severity: 'low' }).matched).toEqual([]);
    expect(judgeIncident(rules, { kind: 'brute-force', severity: 'medium' }).matched).toEqual([]);
  });

  it.each([
    ['that hold for every sign-in', [{ on: 'sign-in', name: 'all', when: {}, respond: ['block'] }]],
    ['of the same name', ['a', 'a'].map((name) => ({ on: 'incident', name, when: {}, respond: ['notify-admins'] }))],
    ['that do nothing', [{ on: 'incident', name: 'nothing', when: {}, respond: [] }]],
    [
      'more than fifty',
      Array.from({ length: 51 }, (_, i) => ({ on: 'incident', name: `r${i}`, when: {}, respond: ['block'] })),
    ],
    ['of another kind', [{ on: 'incident', name: 'x', when: { kinds: ['rain'] }, respond: ['block'] }]],
  ])('are refused: %s', (_what, bad) => {
    expect(threatRulesSchema.safeParse({ rules: bad }).success).toBe(false);
  });
});
