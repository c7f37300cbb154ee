import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { memoryLogger } from '../../telemetry/index.ts';
import { createUsageMeter, usageCollection } from './usage.meter.ts';

const every = 10_000;
const read = { tenant: 'acme', principal: 'key_1', endpoint: 'GET /api/v1/things/:id', status: 200 };

describe.each([
  ['the embedded store', () => embeddedDatabase()],
  ['Firestore', () => testDatabase()],
])('usage on %s', (_name, open) => {
  const start = (base: Database = open()) => {
    const clock = manualClock('2026-03-01T10:59:59.000Z');
    const logger = memoryLogger();
    const usage = base.tenants(usageCollection);
    let commits = 0;
    let failures = 0;
    const database: Pick<Database, 'transaction'> = {
      transaction: async (work) => {
        commits += 1;
        if (commits <= failures) throw new OmniError('unavailable', 'The store is down.');
        return base.transaction(work);
      },
    };
    const instance = () => createUsageMeter({ database, usage, clock, logger, every });
    return {
      clock,
      instance,
      meter: instance(),
      lines: logger.lines,
      commits: () => commits,
      failNext: (n: number) => {
        failures = commits + n;
      },
      stored: async (tenant = 'acme') => {
        const { items } = await usage.of(tenant).query({ limit: 1_000 });
        return items.map(({ value }) => value).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      },
    };
  };

  it('is summed by hour, key and endpoint, with what went wrong', async () => {
    const { meter, clock, stored } = start();
    for (const status of [200, 201, 399, 400, 404, 500]) meter.record({ ...read, status });
    meter.record({ ...read, principal: 'key_2' });
    clock.advance(1_000);
    meter.record(read);
    await meter.flush();
    const { endpoint } = read;
    expect(await stored()).toEqual([
      { hour: '2026-03-01T10:00:00.000Z', principal: 'key_1', endpoint, requests: 6, errors: 3 },
      { hour: '2026-03-01T10:00:00.000Z', principal: 'key_2', endpoint, requests: 1, errors: 0 },
      { hour: '2026-03-01T11:00:00.000Z', principal: 'key_1', endpoint, requests: 1, errors: 0 },
    ]);
  });

  it('is kept by tenant', async () => {
    const { meter, stored } = start();
    meter.record(read);
    meter.record({ ...read, tenant: 'other' });
    meter.record({ ...read, tenant: 'other' });
    await meter.flush();
    expect((await stored()).map(({ requests }) => requests)).toEqual([1]);
    expect((await stored('other')).map(({ requests }) => requests)).toEqual([2]);
  });

  it('adds up over flushes and over instances that flush at once', async () => {
    const { instance, stored } = start();
    const meters = Array.from({ length: 5 }, instance);
    for (let round = 0; round < 2; round += 1) {
      for (const meter of meters) meter.record(read);
      await Promise.all(meters.map((meter) => meter.flush()));
    }
    expect(await stored()).toMatchObject([{ requests: 10, errors: 0 }]);
  });

  it('costs no write until it is due, and one when it is', async () => {
    const { meter, clock, commits } = start();
    for (let i = 0; i < 100; i += 1) {
      meter.record(read);
      await meter.flushWhenDue();
    }
    expect(commits()).toBe(0);
    clock.advance(every);
    await meter.flushWhenDue();
    await meter.flushWhenDue();
    expect(commits()).toBe(1);
  });

  it('costs no write when there was none', async () => {
    const { meter, clock, commits } = start();
    clock.advance(every);
    await meter.flushWhenDue();
    await meter.flush();
    expect(commits()).toBe(0);
  });

  it('is stored before it is due when it fills a transaction, and in as many as it needs', async () => {
    const { meter, commits, stored } = start();
    for (let i = 0; i < 401; i += 1) meter.record({ ...read, endpoint: `GET /${i}` });
    await meter.flushWhenDue();
    expect(commits()).toBe(2);
    expect(await stored()).toHaveLength(401);
  });

  it('never fails a request: what could not be stored is said, and counting goes on', async () => {
    const { meter, lines, failNext, stored } = start();
    failNext(1);
    meter.record(read);
    meter.record(read);
    await meter.flush();
    expect(lines).toMatchObject([{ level: 'warn', fields: { requests: 2 } }]);
    meter.record(read);
    await meter.flush();
    expect(await stored()).toMatchObject([{ requests: 1 }]);
  });
});
