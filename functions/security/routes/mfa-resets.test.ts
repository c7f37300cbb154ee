import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { factorResetSweep, factorResetViewSchema } from '#shared/security/index.ts';
import { mfaWorld } from '#tests/support/mfa.ts';
import { internalToken, request, testRuntime } from '#tests/support/runtime.ts';

const minute = 60_000;
const hour = 60 * minute;
const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { app, mfa, post, person, withTotp, challenged, signInWith, answer } = world;
const { clock } = runtime;
beforeAll(() => world.tenant('acme'));

const ask = (key: string, user: string) => mfa('/resets', { user, reason: 'Lost phone, seen in person' }, key);
const resetOf = async (response: Response) => factorResetViewSchema.parse(await response.json());
const refusal = async (response: Response) => problemSchema.parse(await response.json()).code;

/** The timer's tick, as it is pushed at the time that the clock shows. */
const sweep = async (): Promise<void> => {
  const path = `/internal/jobs/security.start-factor-resets?token=${internalToken}`;
  const data = Buffer.from(JSON.stringify({ schedule: factorResetSweep.name })).toString('base64');
  const attributes = { type: factorResetSweep.event.type };
  const message = { data, attributes, messageId: '1', publishTime: isoTime(clock.now()) };
  const response = await request(app, path, { body: { subscription: 'test', message } });
  expect(response.status).toBeLessThan(300);
  await runtime.bus.idle();
};
const mailsTo = async (email: string) => {
  await runtime.bus.idle();
  return world.mails.filter(({ to }) => to === email).map(({ template }) => template);
};
const cancelToken = async (email: string): Promise<string> => {
  await runtime.bus.idle();
  const mail = world.mails.findLast(({ to, template }) => to === email && template === 'factor-reset-requested');
  const { link } = z.object({ link: z.string() }).parse(mail?.data);
  return link.split('#token=')[1] ?? '';
};

describe('a reset of lost factors', () => {
  it('takes place after the waiting period: no sessions, no factors, and no way in but by a new one', async () => {
    const [admin, there] = [await person('acme', ['admin']), await withTotp('acme')];
    const asked = await ask(admin.key, there.user);
    expect(asked.status).toBe(202);
    const { dueAt } = await resetOf(asked);
    expect(Date.parse(dueAt) - clock.now()).toBe(24 * hour);
    expect(await mailsTo(there.email)).toContain('factor-reset-requested');

    clock.advance(24 * hour - minute);
    await sweep();
    expect(await challenged('acme', there.email)).toMatchObject({ methods: ['totp'], enrolment: false });
    clock.advance(minute);
    await sweep();
    expect((await post('/refresh', { refreshToken: there.tokens.refreshToken })).status).toBe(401);
    // Though the tenant asks nobody for a second factor.
    const { challenge, ...next } = await challenged('acme', there.email);
    expect(next).toMatchObject({ methods: ['totp'], enrolment: true });
    expect((await answer(challenge, { method: 'totp', code: '123456' })).status).toBe(401);
    expect(await mailsTo(there.email)).toContain('factor-reset-completed');
    const types = world.events.filter(({ data }) => data.user === there.user).map(({ type }) => type);
    expect(types).toEqual(
      expect.arrayContaining(['security.factor-reset.requested', 'security.factor-reset.completed']),
    );
    // The next tick finds nothing.
    clock.advance(minute);
    await sweep();
    expect((await mailsTo(there.email)).filter((one) => one === 'factor-reset-completed')).toHaveLength(1);
  });

  it('is nothing that anybody can ask for themselves, or without permission, or for who may do more', async () => {
    const [owner, admin, support, member] = [
      await withTotp('acme', ['owner']),
      await person('acme', ['admin']),
      await person('acme', ['support']),
      await person('acme'),
    ];
    expect(await refusal(await ask(admin.key, admin.user))).toBe('forbidden');
    expect(await refusal(await ask(owner.key, owner.user))).toBe('forbidden');
    expect(await refusal(await ask(member.key, support.user))).toBe('forbidden');
    expect(await refusal(await ask(admin.key, owner.user))).toBe('forbidden');
    expect(await refusal(await ask(support.key, admin.user))).toBe('forbidden');
    expect(await refusal(await ask(admin.key, 'usr_nobody'))).toBe('not-found');
    expect(await refusal(await ask(await runtime.key('acme', ['*']), member.user))).toBe('forbidden');
    expect((await ask(support.key, member.user)).status).toBe(202);
    expect(await refusal(await ask(admin.key, member.user))).toBe('already-exists');
  });

  it('does not take place for who may do more by then than when it was asked for', async () => {
    const [support, there] = [await person('acme', ['support']), await withTotp('acme')];
    expect((await ask(support.key, there.user)).status).toBe(202);
    const promoted = await request(app, `/api/v1/auth/users/${there.user}/roles`, {
      method: 'PUT',
      key: await runtime.key('acme', ['*']),
      body: { roles: ['admin'] },
    });
    expect(promoted.status).toBeLessThan(300);
    clock.advance(25 * hour);
    await sweep();
    expect(await challenged('acme', there.email)).toMatchObject({ methods: ['totp'], enrolment: false });
    expect(await mailsTo(there.email)).not.toContain('factor-reset-completed');
    const cancelled = world.events.find(
      ({ type, data }) => type === 'security.factor-reset.cancelled' && data.user === there.user,
    );
    expect(cancelled?.data.by).toBe('security.complete-factor-reset');
    // It is over: another can be asked for, by who may.
    expect(await refusal(await ask((await person('acme', ['support'])).key, there.user))).toBe('forbidden');
    expect((await ask((await person('acme', ['owner'])).key, there.user)).status).toBe(202);
  });

  it('is stopped by its user from a live session, and by nobody else without permission', async () => {
    const [admin, there, stranger] = [await person('acme', ['admin']), await withTotp('acme'), await person('acme')];
    const { id } = await resetOf(await ask(admin.key, there.user));
    const cancel = (key: string) => mfa(`/resets/${id}/cancel`, undefined, key);
    expect(await refusal(await cancel(stranger.key))).toBe('not-found');
    expect(await resetOf(await cancel(there.key))).toMatchObject({ status: 'cancelled', endedBy: there.user });
    expect(await refusal(await cancel(there.key))).toBe('precondition-failed');
    clock.advance(25 * hour);
    await sweep();
    expect((await challenged('acme', there.email)).methods).toEqual(['totp']);
    const list = await request(app, '/api/v1/mfa/resets', { key: await runtime.key('acme', ['mfa:reset']) });
    expect(await list.text()).not.toContain('cancelHash');
  });

  it('is stopped by the link from the mail, once, and by no other link', async () => {
    const [admin, there] = [await person('acme', ['admin']), await withTotp('acme')];
    await ask(admin.key, there.user);
    const token = await cancelToken(there.email);
    const cancel = (given: string) => mfa('/resets/cancel', { token: given });
    const forged = `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
    for (const bad of [forged, token.replace('acme', 'other'), 'garbage']) expect((await cancel(bad)).status).toBe(401);
    expect((await cancel(token)).status).toBe(204);
    expect((await cancel(token)).status).toBe(401);
    clock.advance(25 * hour);
    await sweep();
    expect((await challenged('acme', there.email)).methods).toEqual(['totp']);
    // Another one can be asked for then.
    const later = await person('acme', ['admin']);
    expect((await ask(later.key, there.user)).status).toBe(202);
  });

  it('is not replaced by a new password, which removes and skips nothing', async () => {
    const there = await withTotp('acme');
    await post('/password/forgot', { tenant: 'acme', email: there.email });
    const password = 'violet-anchors-hum-at-noon';
    await post('/password/reset', { token: await world.tokenTo(there.email), password });
    expect(await signInWith('acme', there.email, { password })).toMatchObject({
      status: 'second-factor',
      methods: ['totp'],
    });
  });
});
