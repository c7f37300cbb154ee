import { describe, expect, it } from 'vitest';
import { testRuntime } from '#tests/support/runtime.ts';
import { linkRequested } from '../identity/identity.events.ts';
import { guardCollection } from './guard.schema.ts';
import { createLinkBudget, type MailRequest } from './link-budget.ts';

const hour = 3_600_000;

describe.each(['embedded', 'firestore'] as const)('mails with links on the %s store', async (database) => {
  const runtime = await testRuntime({ database });
  const { within } = createLinkBudget({
    database: runtime.database,
    guards: runtime.database.tenants(guardCollection),
    clock: runtime.clock,
  });
  const published: string[] = [];
  runtime.bus.subscribe('test.listen', async () => {
    published.push('link');
    return 204;
  });
  let people = 0;
  const somebody = (): MailRequest => {
    people += 1;
    return { tenant: 'acme', email: `${database}-${people}@example.com`, purpose: 'sign-in', device: {} };
  };
  const ask = (request: MailRequest) =>
    within(request, (transaction) =>
      transaction.emit(
        runtime.makeEvent(linkRequested, {
          tenant: request.tenant,
          subject: 'x',
          data: { purpose: 'sign-in', email: request.email, device: request.device },
        }),
      ),
    );

  it('are five an hour to one address, and nothing is published of the others', async () => {
    const request = somebody();
    const before = published.length;
    const sent = [];
    for (let i = 0; i < 8; i += 1) sent.push(await ask(request));
    await runtime.bus.idle();
    expect(sent).toEqual([true, true, true, true, true, false, false, false]);
    expect(published.length - before).toBe(5);
    runtime.clock.advance(hour);
    expect(await ask(request)).toBe(true);
  });

  it('are never more than five of twenty asked for at once', async () => {
    const request = somebody();
    const sent = await Promise.all(Array.from({ length: 20 }, () => ask(request)));
    expect(sent.filter(Boolean).length).toBeGreaterThan(0);
    expect(sent.filter(Boolean).length).toBeLessThanOrEqual(5);
  });

  it('of another purpose and another tenant have a budget of their own', async () => {
    const request = somebody();
    for (let i = 0; i < 6; i += 1) await ask(request);
    expect(await ask({ ...request, purpose: 'password-reset' })).toBe(true);
    expect(await ask({ ...request, tenant: 'other' })).toBe(true);
    expect(await ask(request)).toBe(false);
  });

  it('are a hundred an hour from one caller, to whomever', async () => {
    const device = { ip: '198.51.100.7' };
    const sent = [];
    for (let i = 0; i < 102; i += 1) sent.push(await ask({ ...somebody(), device }));
    expect(sent.filter(Boolean)).toHaveLength(100);
    expect(await ask({ ...somebody(), device: { ip: '198.51.100.8' } })).toBe(true);
  });
});
