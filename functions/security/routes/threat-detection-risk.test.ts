import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { signInResultSchema, userCollection, userRiskSchema } from '#shared/security/index.ts';
import { goodPassword } from '#tests/support/auth.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { answerOf, berlin, completed, type From, laptop, threatWorld } from '#tests/support/threats.ts';

const runtime = await testRuntime();
const { app, mails, events, newTenant, send, incidentsOf, signIn, member, habit } = threatWorld(runtime);
const { clock } = runtime;
const hour = 3_600_000;
const sydney = '129.78.5.8';

const challenged = (at: string, body: unknown, { ip = berlin, userAgent = laptop }: From) =>
  request(app, `/api/v1/mfa${at}`, { body, headers: { 'x-forwarded-for': ip, 'user-agent': userAgent } });

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
    const wrong = await answerOf(await signIn(id, 'ada@example.com', 'wrong-password', { ip: sydney }));
    const blocked = await answerOf(await signIn(id, 'ada@example.com', goodPassword, { ip: sydney }));
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
