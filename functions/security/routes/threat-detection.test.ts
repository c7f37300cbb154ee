import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { incidentViewSchema, userCollection } from '#shared/security/index.ts';
import { goodPassword } from '#tests/support/auth.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { answerOf, idsOf, threatWorld } from '#tests/support/threats.ts';

const runtime = await testRuntime();
const { app, mails, events, services, newTenant, send, incidentsOf, signIn, member, habit } = threatWorld(runtime);
const { clock } = runtime;
const hour = 3_600_000;

describe('brute force', () => {
  it('is locked out after ten guesses, whether or not there is an account; the owner’s known device is not', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'ada@example.com');
    const knownDevice = await habit(id, 'ada@example.com', 1);
    const guess = (email: string) => signIn(id, email, 'wrong-password', { ip: '198.51.100.9' });
    const [known, unknown] = await Promise.all(
      ['ada@example.com', 'nobody@example.com'].map(async (email) => {
        const answers = [];
        for (let i = 0; i < 11; i += 1) answers.push(await answerOf(await guess(email)));
        return answers;
      }),
    );
    expect(known).toEqual(unknown);
    expect(known?.map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
    // In the attacker's own network a stranger's device is locked out, even with the right password.
    const stranger = await signIn(id, 'ada@example.com', goodPassword, { ip: '198.51.100.9' });
    expect(stranger.status).toBe(429);
    expect(Number(stranger.headers.get('retry-after'))).toBe(900);
    expect((await signIn(id, 'ada@example.com', goodPassword, { ip: '198.51.100.9', knownDevice })).status).toBe(200);
    // That the owner is in gives the strangers beside them no new attempts.
    expect((await guess('ada@example.com')).status).toBe(429);

    const incidents = await incidentsOf(key, '&kind=brute-force');
    expect(incidents.map(({ user: whose, severity }) => [whose, severity])).toEqual(
      expect.arrayContaining([
        [user, 'medium'],
        [undefined, 'medium'],
      ]),
    );
    expect(incidents).toHaveLength(2);
    expect(JSON.stringify(incidents)).not.toContain('ada@example.com');
  });

  it('is forgotten where the owner signs in', async () => {
    const { id } = await newTenant();
    await member(id, 'ada@example.com');
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 9; i += 1) expect((await signIn(id, 'ada@example.com', 'wrong-password')).status).toBe(401);
      expect((await signIn(id, 'ada@example.com', goodPassword)).status).toBe(200);
    }
  });

  it('costs nothing in a tenant that is not there', async () => {
    for (let i = 0; i < 12; i += 1) {
      expect((await signIn('no-such-tenant', 'ada@example.com', 'wrong-password')).status).toBe(401);
    }
  });
});

describe('credential stuffing', () => {
  it('over 200 accounts from one network opens one incident, and is blocked; a known device is let in', async () => {
    const { id, key } = await newTenant();
    await member(id, 'owner@example.com', ['owner']);
    const knownDevice = await habit(id, 'owner@example.com', 1);
    const statuses: number[] = [];
    for (let i = 0; i < 200; i += 1) {
      const ip = `198.51.100.${1 + (i % 200)}`;
      statuses.push((await signIn(id, `victim-${i}@example.com`, `stolen-${i}`, { ip })).status);
      if (i % 5 === 0) await runtime.bus.idle();
    }
    const tried = statuses.filter((status) => status === 401).length;
    expect(tried).toBeGreaterThanOrEqual(20);
    expect(tried).toBeLessThan(30);
    const [incident, ...others] = await incidentsOf(key, '&kind=credential-stuffing');
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      status: 'open',
      severity: 'medium',
      subject: { type: 'network', id: '198.51.100.0/24' },
      timeline: [{ what: 'opened' }, { what: 'responded', by: 'rules' }],
    });
    expect(incident?.affected.count).toBeGreaterThanOrEqual(20);
    const blocks = await idsOf(await send('/blocks', { key }));
    expect(blocks).toMatchObject([{ network: '198.51.100.0/24', by: 'rules', incident: incident?.id }]);
    expect(
      mails.filter(({ template, to }) => template === 'security-alert' && to === 'owner@example.com'),
    ).toHaveLength(1);

    const from = { ip: '198.51.100.77' };
    expect((await signIn(id, 'owner@example.com', goodPassword, from)).status).toBe(429);
    expect((await signIn(id, 'owner@example.com', goodPassword, { ...from, knownDevice })).status).toBe(200);
    expect((await signIn(id, 'owner@example.com', goodPassword, { ip: '203.0.113.9' })).status).toBe(200);
    // The block ends by itself.
    clock.advance(hour);
    expect((await signIn(id, 'owner@example.com', goodPassword, from)).status).toBe(200);
  });

  it('that was a false positive is not told of again, until that is lifted', async () => {
    const { id, key } = await newTenant();
    const attack = async (from: number) => {
      for (let i = from; i < from + 25; i += 1) {
        await signIn(id, `victim-${i}@example.com`, `stolen-${i}`, { ip: `198.51.100.${1 + i}` });
      }
      return incidentsOf(key, '&kind=credential-stuffing');
    };
    const [incident] = await attack(0);
    const change = { status: 'false-positive', note: 'Our own penetration test.', assignee: 'usr_1' };
    const changed = await send(`/incidents/${incident?.id}`, { key, method: 'PATCH', body: change });
    expect(incidentViewSchema.parse(await changed.json())).toMatchObject({
      status: 'false-positive',
      assignee: 'usr_1',
      timeline: [
        { what: 'opened' },
        { what: 'responded' },
        { what: 'status-changed', text: 'open → false-positive' },
        { what: 'assigned' },
        { what: 'noted', text: 'Our own penetration test.' },
      ],
    });
    const [block] = await idsOf(await send('/blocks', { key }));
    expect((await send(`/blocks/${block?.id}`, { key, method: 'DELETE' })).status).toBe(204);
    expect(await idsOf(await send('/blocks', { key }))).toEqual([]);

    clock.advance(25 * hour);
    expect(await attack(30)).toHaveLength(1);
    const [allowance] = await idsOf(await send('/allowances', { key }));
    expect(allowance).toMatchObject({ kind: 'credential-stuffing', subject: '198.51.100.0/24' });
    expect((await send(`/allowances/${allowance?.id}`, { key, method: 'DELETE' })).status).toBe(204);
    clock.advance(25 * hour);
    expect(await attack(60)).toHaveLength(2);

    const audit = pageSchema(z.looseObject({ action: z.string() })).parse(
      await (await request(app, '/api/v1/security/audit?limit=200', { key })).json(),
    );
    const actions = new Set(audit.items.map(({ action }) => action));
    for (const action of ['detected', 'updated', 'block-changed', 'allowance-lifted']) {
      expect(actions).toContain(`security.threat.${action}`);
    }
  });
});

describe('password spraying', () => {
  it('from many networks is one incident, which does not tell the password', async () => {
    const { id, key } = await newTenant();
    for (let i = 0; i < 30; i += 1) {
      await signIn(id, `victim-${i}@example.com`, 'Spring-2026-was-warm', { ip: `198.51.${i}.1` });
    }
    const incidents = await incidentsOf(key);
    expect(incidents.map(({ kind }) => kind)).toEqual(['password-spraying']);
    expect(incidents[0]?.affected.count).toBeGreaterThanOrEqual(29);
    expect(incidents[0]).toMatchObject({ severity: 'high', subject: { type: 'password' } });
    expect(incidents[0]?.subject.id).toMatch(/^[\da-f]{5}$/);
    expect(JSON.stringify(events.filter(({ tenant: of }) => of === id))).not.toContain('Spring-2026');
  });

  it('is not what people do who mistype passwords of their own', async () => {
    const { id, key } = await newTenant();
    for (let i = 0; i < 30; i += 1) await signIn(id, `p-${i}@example.com`, `own-${i}`, { ip: `198.51.${i}.1` });
    expect(await incidentsOf(key)).toEqual([]);
  });
});

describe('a block', () => {
  it('of an account keeps everybody from it, by every way to sign in, until it is lifted', async () => {
    const { id, key } = await newTenant();
    const user = await member(id, 'ada@example.com');
    const body = { target: 'account', user, reason: 'Reported as stolen', minutes: 60 };
    const made = await send('/blocks', { key, body });
    expect(made.status).toBe(201);
    const block = z.object({ id: z.string() }).parse(await made.json());
    expect((await signIn(id, 'ada@example.com', goodPassword)).status).toBe(429);
    const stored = await runtime.database.tenants(userCollection).of(id).get(user);
    if (stored === undefined) throw new Error('The user is not there.');
    const first = { tenant: id, user: stored, method: 'fed', device: {} } as const;
    await expect(services.signIns.finish(first)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect((await send(`/blocks/${block.id}`, { key, method: 'DELETE' })).status).toBe(204);
    expect((await send(`/blocks/${block.id}`, { key, method: 'DELETE' })).status).toBe(404);
    expect((await signIn(id, 'ada@example.com', goodPassword)).status).toBe(200);
  });

  it.each([
    { target: 'network', network: '0.0.0.0/0', reason: 'all' },
    { target: 'network', network: 'example.com', reason: 'name' },
    { target: 'network', network: '203.0.113.7', reason: 'x', minutes: 0 },
    { target: 'account', user: '../x', reason: 'x' },
    { target: 'tenant', reason: 'x' },
  ])('is refused and not set: %j', async (body) => {
    const { key } = await newTenant();
    expect((await send('/blocks', { key, body })).status).toBe(400);
    expect(await idsOf(await send('/blocks', { key }))).toEqual([]);
  });
});
