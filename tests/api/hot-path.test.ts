import { describe, expect, it } from 'vitest';
import { ai } from '#functions/ai/app.ts';
import { createServices } from '#functions/ai/services.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { accessToken } from '#tests/support/auth.ts';
import { counting } from '#tests/support/counting.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const driver = counting(embeddedDriver());
const runtime = await testRuntime({ driver });
const app = runtime.start(ai, createServices);
const credentials = {
  'an API key': await runtime.key('acme', ['*']),
  'an access token': await accessToken(runtime, 'acme'),
};
/** Rate limits are leased: the first request takes a lease, and one that meets its end the next. */
const leases = ['rateWindows'];
const readsBut = (names: readonly string[]) => {
  const taken = Object.entries(driver.taken());
  return Object.fromEntries(taken.filter(([name]) => !names.includes(name)));
};

describe.each(Object.entries(credentials))('a warm request with %s', (_what, key) => {
  const ask = async (path: string, status: number): Promise<void> => {
    expect((await request(app, path, { key })).status).toBe(status);
  };

  it('reads nothing from the store by itself', async () => {
    await ask('/healthz', 200);
    driver.taken();
    for (let i = 0; i < 10; i += 1) await ask('/healthz', 200);
    expect(driver.taken()).toEqual({});
    for (let i = 0; i < 200; i += 1) await ask('/healthz', 200);
    expect(readsBut(leases)).toEqual({});
  });

  it('reads what its handler reads, and no more', async () => {
    const path = '/api/v1/ai-intelligence/churn-prediction/pred_none';
    await ask(path, 404);
    driver.taken();
    for (let i = 0; i < 10; i += 1) await ask(path, 404);
    expect(readsBut(leases)).toEqual({ predictions: 10 });
  });

  it('asks the store again who that is when what it knows is 30 s old', async () => {
    driver.taken();
    runtime.clock.advance(30_000);
    await ask('/healthz', 200);
    expect(readsBut(leases)).not.toEqual({});
  });
});
