import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { killAt } from '#tests/support/crashing.ts';
import { type TestRuntime, testRuntime } from '#tests/support/runtime.ts';
import type { Job } from '../../events/define-job.ts';
import type { Outcome } from '../../events/job-runner.ts';
import { eventOfPush } from '../../events/push.ts';
import { systemActor } from '../../kernel/actor.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { sha256 } from '../../kernel/json.ts';
import { emailRequested } from '../../messaging/index.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { signInSucceeded } from '../sessions/session.events.ts';
import { riskProfileCollection } from './profile.ts';
import { failureCounted, threatDetected } from './threat.events.ts';
import { detectAttacks, learnSignIn, respondToThreat, type ThreatJobServices } from './threat.jobs.ts';

const actor = systemActor('acme', 'test');

const setUp = async (driver: Driver = embeddedDriver()) => {
  const runtime = await testRuntime({ driver });
  const events: DomainEvent[] = [];
  const hear = ({ bus }: TestRuntime) =>
    bus.subscribe('test.listen', async (body) => {
      events.push(eventOfPush(body));
      return 204;
    });
  hear(runtime);
  await runtime.tenants.ensure('acme', { name: 'Acme' });
  const services = createServices(runtime);
  const deliver = (job: Job<ThreatJobServices>, event: DomainEvent): Promise<Outcome> =>
    runtime.runJob(job, event, services);
  const fail = async (nth: number) => {
    const attempt = {
      tenant: 'acme',
      account: sha256(`victim ${nth}`),
      method: 'pwd',
      device: { ip: '203.0.113.7' },
    } as const;
    await runtime.database.transaction(await services.guard.failure(attempt, { password: `stolen ${nth}` }));
  };
  const all = async (type: string) => {
    await runtime.bus.idle();
    return events.filter((event) => event.type === type);
  };
  return { runtime, services, deliver, fail, all, hear };
};
type World = Awaited<ReturnType<typeof setUp>>;

/** Until it is done, also after workers that died with a lease. */
const insist = async ({ runtime, deliver }: World, job: Job<ThreatJobServices>, event: DomainEvent) => {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const outcome = await deliver(job, event);
    if (outcome === 'done' || outcome === 'duplicate') return outcome;
    runtime.clock.advance(10 * 60_000);
  }
  throw new Error(`${job.name} was never done.`);
};

const owner = async (runtime: TestRuntime): Promise<void> => {
  await createServices(runtime).users.create('acme', { email: 'o@example.com', emailVerified: true, roles: ['owner'] });
};

describe('a profile', () => {
  it('is the same in whatever order and however often sign-ins are told of', async () => {
    const worlds = [await setUp(), await setUp()];
    const ips = ['130.149.7.201', '129.78.5.8', '87.123.200.1'];
    const signIns: DomainEvent[] = Array.from({ length: 12 }, (_, i) => ({
      specversion: '1.0',
      id: `evt_${i}`,
      source: 'omni/test',
      type: signInSucceeded.type,
      subject: 'usr_1',
      time: new Date(Date.parse('2026-01-01T00:00:00.000Z') + i * 7_200_000).toISOString(),
      tenant: 'acme',
      datacontenttype: 'application/json',
      data: {
        user: 'usr_1',
        session: `ses_${i}`,
        methods: ['pwd'],
        device: { ip: ips[i % 3], userAgent: `agent ${'x'.repeat(i % 4)}` },
      },
    }));
    const orders = [signIns, [...signIns.toReversed(), ...signIns]];
    const profiles = [];
    for (const [i, world] of worlds.entries()) {
      for (const event of orders[i] ?? []) await world.deliver(learnSignIn, event);
      profiles.push(await world.runtime.database.tenants(riskProfileCollection).of('acme').get('usr_1'));
    }
    const [one, other] = profiles;
    expect(one?.value.behaviour).toEqual(other?.value.behaviour);
    expect(one?.value.behaviour).toMatchObject({
      recent: { length: 12 },
      places: { length: 3 },
      devices: { length: 4 },
    });
  });
});

describe('an attack', () => {
  it('is found whichever of its failures is heard of last, and is one incident', async () => {
    const world = await setUp();
    for (let i = 0; i < 25; i += 1) await world.fail(i);
    const failures = await world.all(failureCounted.type);
    expect(failures).toHaveLength(25);
    for (const event of failures.toReversed()) await world.deliver(detectAttacks, event);
    for (const event of failures) expect(await world.deliver(detectAttacks, event)).toBe('duplicate');
    const { items } = await world.services.incidentService.list(actor, { limit: 10 });
    expect(items.map(({ kind, affected }) => [kind, affected.count])).toEqual([['credential-stuffing', 25]]);
    expect(await world.all(threatDetected.type)).toHaveLength(1);
  });

  it('becomes more severe once for each severity', async () => {
    const world = await setUp();
    for (let i = 0; i < 70; i += 1) {
      await world.fail(i);
      const event = (await world.all(failureCounted.type)).at(-1);
      if (event !== undefined) await world.deliver(detectAttacks, event);
    }
    const detected = await world.all(threatDetected.type);
    expect(detected.map(({ data }) => data.severity)).toEqual(['medium', 'high']);
    const { items } = await world.services.incidentService.list(actor, { limit: 10 });
    expect(items).toMatchObject([{ severity: 'high', timeline: [{ what: 'opened' }, { what: 'escalated' }] }]);
  });
});

it('leaves a block as it is that an administrator has set, though its own would be longer', async () => {
  const world = await setUp();
  const reason = 'Nobody from there, on whatever device';
  const input = { target: 'network', network: '203.0.113.7', minutes: 10, reason, sparesKnownDevices: false } as const;
  await world.services.blockService.set(actor, input);
  for (let i = 0; i < 20; i += 1) await world.fail(i);
  const failure = (await world.all(failureCounted.type)).at(-1);
  if (failure === undefined) throw new Error('No failure was counted.');
  await insist(world, detectAttacks, failure);
  const detected = (await world.all(threatDetected.type)).at(-1);
  if (detected === undefined) throw new Error('Nothing was detected.');
  await insist(world, respondToThreat, detected);
  const { items } = await world.services.blockService.list(actor, { limit: 10 });
  expect(items).toMatchObject([{ by: actor.id, reason, sparesKnownDevices: false }]);
});

describe.each(['before', 'after'] as const)('a worker that dies just %s any call', (when) => {
  it('leaves one incident, one block and one mail to each administrator', async () => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const world = await setUp(driver);
      await owner(world.runtime);
      for (let i = 0; i < 20; i += 1) await world.fail(i);
      const failure = (await world.all(failureCounted.type)).at(-1);
      if (failure === undefined) throw new Error('No failure was counted.');

      const killer = killAt(at, when);
      const dying = await testRuntime({ driver: killer.driver(driver) });
      world.hear(dying);
      const services = createServices(dying);
      await dying.runJob(detectAttacks, failure, services).catch(() => undefined);
      await insist(world, detectAttacks, failure);
      const incident = (await world.services.incidentService.list(actor, { limit: 10 })).items;
      expect(incident).toHaveLength(1);
      // The event may have been the dying worker's to publish: it is made again as it was.
      const { id, kind, severity, subject, affected } = incident[0] ?? expect.fail('There is no incident.');
      const detected = world.runtime.makeEvent(threatDetected, {
        id: 'evt_detected',
        tenant: 'acme',
        subject: id,
        data: { incident: id, kind, severity, subject, affected: affected.count, by: 'detection', byKind: 'system' },
      });
      await dying.runJob(respondToThreat, detected, services).catch(() => undefined);
      await insist(world, respondToThreat, detected);

      const { items } = await world.services.blockService.list(actor, { limit: 10 });
      expect(items).toMatchObject([{ network: '203.0.113.0/24', incident: id }]);
      const { timeline } = await world.services.incidentService.get(actor, id);
      expect(timeline.map(({ what }) => what)).toEqual(['opened', 'responded']);
      world.runtime.clock.advance(60 * 60_000);
      await world.runtime.outbox.sweep();
      await dying.bus.idle();
      const mails = await world.all(emailRequested.type);
      // What was published just before the death may be published again, as the same event.
      expect(new Set(mails.map((mail) => mail.id)).size).toBe(1);
      if (killer.calls() < at) return expect(at).toBeGreaterThan(5);
    }
  });
});
