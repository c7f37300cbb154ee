import { describe, expect, it } from 'vitest';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { eventOfPush } from '../../events/push.ts';
import { outboxCollection, toOutboxEntry } from '../../store/outbox.collection.ts';
import { digestDue } from './timers.jobs.ts';

const runtime = await testRuntime();
runtime.start(platform, createServices);

const digests: string[] = [];
runtime.bus.subscribe('watch', async (body) => {
  const text = JSON.stringify(body);
  const { message } = JSON.parse(text);
  if (message.attributes.type === 'platform.digest.due') {
    const event = eventOfPush(body);
    digests.push(`${event.tenant} ${JSON.stringify(event.data)}`);
  }
  return 204;
});

const tick = async (name: string) => {
  runtime.bus.publishRaw({ schedule: name }, { type: `schedule.${name}` });
  await runtime.bus.idle();
};

describe('the daily digest', () => {
  it('is one event for each active tenant, over more tenants than fit a page, and one a day', async () => {
    for (let i = 0; i < 250; i += 1) await runtime.tenants.ensure(`tenant-${i}`, { name: `Tenant ${i}` });
    await tick('daily-digest');
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    expect(new Set(digests).size).toBe(250);
    expect(digests).toHaveLength(250);
    expect(digests[0]).toContain(`{"day":"${yesterday}"}`);
    await tick('daily-digest');
    expect(digests).toHaveLength(250);
  });
});

describe('the outbox sweep', () => {
  it('publishes what a crash left behind', async () => {
    const data = { day: '2025-12-24' };
    const event = runtime.makeEvent(digestDue, { tenant: 'tenant-1', subject: 'x', data });
    const entries = runtime.database.platform(outboxCollection);
    await entries.create(event.id, toOutboxEntry(event, runtime.clock.now() - 60_000));
    await tick('outbox-sweep');
    expect(digests.at(-1)).toBe('tenant-1 {"day":"2025-12-24"}');
    expect(await entries.get(event.id)).toBeUndefined();
  });
});
