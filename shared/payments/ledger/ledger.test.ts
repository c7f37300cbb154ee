import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { createDeadLetters, deadLetterCollection } from '../../events/dead-letters.ts';
import { eventMaker, parseEvent } from '../../events/define-event.ts';
import type { Job } from '../../events/define-job.ts';
import { createInbox, inboxCollection } from '../../events/inbox.ts';
import { createJobRunner } from '../../events/job-runner.ts';
import { systemActor } from '../../kernel/actor.ts';
import { isoTime, type ManualClock, manualClock } from '../../kernel/clock.ts';
import { type DomainEvent, platformTenant } from '../../kernel/event.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { outboxCollection } from '../../store/outbox.collection.ts';
import type { Database } from '../../store/store.ts';
import { nullLogger } from '../../telemetry/index.ts';
import { type HoldJobServices, holdExpired, holdSweep, releaseExpiredHold, sweepHolds } from './holds.jobs.ts';
import { createLedgerHolds } from './holds.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
  ledgerHoldCollection,
  ledgerHoldWatchCollection,
} from './ledger.schema.ts';
import { createLedger } from './ledger.service.ts';
import type { LedgerTransaction } from './posting.ts';

const actor = systemActor('acme', 'test');

const ledgerOn = (database: Database, clock = manualClock()) => {
  const balances = database.tenants(ledgerBalanceCollection);
  const options = {
    database,
    accounts: database.tenants(ledgerAccountCollection),
    entries: database.tenants(ledgerEntryCollection),
    balances,
    clock,
  };
  const ledger = createLedger(options);
  const holdWatches = database.platform(ledgerHoldWatchCollection);
  const stored = database.tenants(ledgerHoldCollection);
  const holds = createLedgerHolds({ database, ledger, holds: stored, watches: holdWatches, balances, clock });
  return { ledger, holds, holdWatches, clock };
};
/** What runs the jobs of holds, and what they told. */
const runnerOf = (
  database: Database,
  clock: ManualClock,
  services: Pick<ReturnType<typeof ledgerOn>, 'holds' | 'holdWatches'>,
) => {
  const inbox = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const runJob = createJobRunner({
    database,
    inbox: createInbox({ entries: inbox, clock }),
    deadLetters: createDeadLetters({ database, letters, inbox, clock }),
    logger: nullLogger,
  });
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  const run = (job: Job<HoldJobServices>, event: DomainEvent) => runJob(job, event, { ...services, makeEvent, clock });
  const sweep = (id: string) => {
    const tick = { id, tenant: platformTenant, subject: 'tick', data: { schedule: holdSweep.name } };
    return run(sweepHolds, makeEvent(holdSweep.event, tick));
  };
  const expired = async (): Promise<DomainEvent[]> => {
    const { items } = await database.platform(outboxCollection).query({ limit: 100 });
    return items
      .map(({ value }) => parseEvent(JSON.parse(value.event)))
      .filter(({ type }) => type === holdExpired.type);
  };
  return { run, sweep, expired };
};

const setup = () => ledgerOn(databaseOn(embeddedDriver(), {}));

const eur = (amount: number) => ({ amount, currency: 'EUR' });
const sale = (key: string, amount: number): LedgerTransaction => ({
  key,
  lines: [
    { account: 'gateway:acmepay:pending', amount: eur(amount) },
    { account: 'revenue:sales', amount: eur(-amount) },
  ],
});
const pending = 'gateway:acmepay:pending@EUR';

const names = ['gateway:a:pending', 'bank:main', 'revenue:sales', 'wallet:cus_1', 'fees:a', 'equity:owner'] as const;
const currencies = ['EUR', 'JPY', 'KWD'] as const;

/** Two to six lines, the last of which makes the sum zero. */
const transactions = fc.array(
  fc
    .record({
      key: fc.integer({ min: 1, max: 12 }).map((n) => `t:${n}`),
      currency: fc.constantFrom(...currencies),
      parts: fc.array(
        fc.tuple(
          fc.constantFrom(...names),
          fc.integer({ min: -9_000, max: 9_000 }).filter((n) => n !== 0),
        ),
        { minLength: 1, maxLength: 5 },
      ),
      last: fc.constantFrom(...names),
    })
    .filter(({ parts }) => parts.reduce((sum, [, amount]) => sum + amount, 0) !== 0)
    .map(({ key, currency, parts, last }): LedgerTransaction => {
      const total = parts.reduce((sum, [, amount]) => sum + amount, 0);
      const lines = [...parts, [last, -total] as const];
      return { key, lines: lines.map(([account, amount]) => ({ account, amount: { amount, currency } })) };
    }),
  { minLength: 1, maxLength: 25 },
);

describe('the ledger', () => {
  it('has the balances that a naive ledger has, at every moment, and every trial balance is zero', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, async (all) => {
        const { ledger, clock } = setup();
        const posted = new Map<string, { readonly transaction: LedgerTransaction; readonly at: string }>();
        const times: string[] = [];
        for (const transaction of all) {
          clock.advance(1_000);
          const before = posted.get(transaction.key);
          const same = JSON.stringify(before?.transaction.lines) === JSON.stringify(transaction.lines);
          if (before !== undefined && !same) {
            await expect(ledger.post(actor, transaction)).rejects.toMatchObject({ code: 'idempotency-mismatch' });
            continue;
          }
          const { at } = await ledger.post(actor, transaction);
          if (before === undefined) posted.set(transaction.key, { transaction, at });
          times.push(at);
        }
        const naive = (account: string, until: string): number =>
          [...posted.values()]
            .filter(({ at }) => at <= until)
            .flatMap(({ transaction }) => transaction.lines)
            .filter((line) => `${line.account}@${line.amount.currency}` === account)
            .reduce((sum, { amount }) => sum + amount.amount, 0);
        const end = times.at(-1) ?? '';
        for (const at of [undefined, times[Math.floor(times.length / 2)], end]) {
          for (const currency of currencies) {
            const trial = await ledger.trialBalance(actor, { currency, book: 'live', at, limit: 50 });
            expect(trial.difference).toBe(0);
            for (const { id, debit, credit } of trial.items) expect(debit - credit).toBe(naive(id, at ?? end));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['one line', { key: 'k', lines: [{ account: 'bank:main', amount: eur(1) }] }],
    [
      'lines that do not sum to zero',
      { ...sale('k', 5), lines: [...sale('k', 5).lines, ...sale('k', 1).lines.slice(1)] },
    ],
    [
      'a sum over two currencies',
      {
        key: 'k',
        lines: [
          { account: 'bank:main', amount: eur(5) },
          { account: 'bank:main', amount: { amount: -5, currency: 'USD' } },
        ],
      },
    ],
    [
      'an account that is not in the chart',
      { key: 'k', lines: sale('k', 5).lines.map((l) => ({ ...l, account: 'x:y' })) },
    ],
    [
      'an unknown currency',
      { key: 'k', lines: sale('k', 5).lines.map((l) => ({ ...l, amount: { ...l.amount, currency: 'XXX' } })) },
    ],
    ['an amount that overflows', sale('k', 2 ** 53)],
    ['a part of a cent', sale('k', 0.5)],
    ['nothing', sale('k', 0)],
    [
      'test money with live money',
      { key: 'k', lines: sale('k', 5).lines.map((l, i) => (i === 0 ? { ...l, account: `test:${l.account}` } : l)) },
    ],
    ['a key that reaches elsewhere', sale('a/b', 5)],
  ])('refuses %s, and posts nothing', async (_what, transaction) => {
    const { ledger } = setup();
    await expect(ledger.post(actor, transaction)).rejects.toMatchObject({ code: 'invalid-request' });
    expect((await ledger.entries(actor, { limit: 10 })).items).toEqual([]);
  });

  it('takes back by posting the opposite, once', async () => {
    const { ledger } = setup();
    await ledger.post(actor, sale('sale:1', 700));
    await ledger.reverse(actor, 'sale:1');
    await ledger.reverse(actor, 'sale:1');
    expect(await ledger.balance(actor, pending)).toBe(0);
    expect((await ledger.entries(actor, { limit: 10 })).items).toHaveLength(4);
    await expect(ledger.reverse(actor, 'sale:2')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('tells a statement page by page, with what was before and after', async () => {
    const { ledger, clock } = setup();
    for (let day = 1; day <= 5; day += 1) {
      await ledger.post(actor, sale(`sale:${day}`, day * 100));
      clock.advance(86_400_000);
    }
    const range = { from: '2026-01-02T00:00:00.000Z', to: '2026-01-05T00:00:00.000Z', limit: 2 };
    const first = await ledger.statement(actor, pending, range);
    const second = await ledger.statement(actor, pending, { ...range, cursor: first.nextCursor ?? '' });
    expect([first.opening, first.closing]).toEqual([100, 1_000]);
    expect([...first.items, ...second.items].map(({ amount }) => amount)).toEqual([200, 300, 400]);
    expect(second.nextCursor).toBeNull();
    const moved = [...first.items, ...second.items].reduce((sum, { amount }) => sum + amount, 0);
    expect(first.opening + moved).toBe(first.closing);
    expect((await ledger.statement(actor, 'revenue:sales@EUR', range)).closing).toBe(1_000);
  });

  it('is of one tenant', async () => {
    const { ledger } = setup();
    await ledger.post(actor, sale('sale:1', 700));
    const rival = systemActor('rival', 'test');
    await expect(ledger.get(rival, 'sale:1')).rejects.toMatchObject({ code: 'not-found' });
    await expect(ledger.balance(rival, pending)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('posts once, whenever its process dies and however often it is tried again', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; ; at += 1) {
        const driver = embeddedDriver();
        const killer = killAt(at, when);
        const attempt = ledgerOn(databaseOn(killer.driver(driver), {})).ledger.post(actor, sale('sale:1', 500));
        await attempt.catch(() => undefined);
        const { ledger } = ledgerOn(databaseOn(driver, {}));
        await ledger.post(actor, sale('sale:1', 500));
        expect(await ledger.balance(actor, pending)).toBe(500);
        expect((await ledger.entries(actor, { limit: 10 })).items).toHaveLength(2);
        if (killer.calls() < at) break;
      }
    }
  });
});

describe('the ledger on Firestore', () => {
  it('posts once of twenty at once with one key', async () => {
    const { ledger } = ledgerOn(testDatabase());
    await Promise.all(Array.from({ length: 20 }, () => ledger.post(actor, sale('sale:1', 500))));
    expect(await ledger.balance(actor, pending)).toBe(500);
    await expect(ledger.post(actor, sale('sale:1', 501))).rejects.toMatchObject({ code: 'idempotency-mismatch' });
  });

  it('loses nothing of two hundred at once on one account', async () => {
    const { ledger } = ledgerOn(testDatabase());
    await Promise.all(Array.from({ length: 200 }, (_, i) => ledger.post(actor, sale(`sale:${i}`, i + 1))));
    expect(await ledger.balance(actor, pending)).toBe(20_100);
    const trial = await ledger.trialBalance(actor, { currency: 'EUR', book: 'live', limit: 50 });
    expect([trial.difference, trial.items.map(({ debit, credit }) => debit - credit)]).toEqual([0, [20_100, -20_100]]);
  });
});

describe('holds', () => {
  const deposit: LedgerTransaction = {
    key: 'deposit',
    lines: [
      { account: 'bank:main', amount: eur(100) },
      { account: 'wallet:cus_1', amount: eur(-100) },
    ],
  };
  const hold = (key: string, amount: number) => ({ key, account: 'wallet:cus_1', amount: eur(amount) });
  const [wallet, held] = ['wallet:cus_1@EUR', 'wallet:cus_1:held@EUR'];

  it('set an amount aside, and give back what is not taken of it', async () => {
    const { ledger, holds } = setup();
    await ledger.post(actor, deposit);
    await holds.place(actor, hold('h1', 60));
    await holds.place(actor, hold('h1', 60));
    expect([await ledger.balance(actor, wallet), await ledger.balance(actor, held)]).toEqual([40, 60]);
    await expect(holds.place(actor, hold('h2', 41))).rejects.toMatchObject({ code: 'precondition-failed' });
    await expect(holds.place(actor, hold('h1', 10))).rejects.toMatchObject({ code: 'idempotency-mismatch' });
    await holds.capture(actor, 'h1', 'revenue:sales', 45);
    await holds.capture(actor, 'h1', 'revenue:sales', 45);
    expect([await ledger.balance(actor, wallet), await ledger.balance(actor, held)]).toEqual([55, 0]);
    expect(await ledger.balance(actor, 'revenue:sales@EUR')).toBe(45);
    await expect(holds.release(actor, 'h1')).rejects.toMatchObject({ code: 'precondition-failed' });
    await holds.place(actor, hold('h3', 55));
    await holds.release(actor, 'h3');
    await holds.release(actor, 'h3');
    expect(await ledger.balance(actor, wallet)).toBe(55);
    await expect(holds.release(actor, 'h9')).rejects.toMatchObject({ code: 'not-found' });
    await expect(holds.place(actor, { ...hold('h4', 1), account: 'bank:main' })).rejects.toMatchObject({
      code: 'invalid-request',
    });
  });

  it('never take more than there is, twenty at once on Firestore', async () => {
    const { ledger, holds } = ledgerOn(testDatabase());
    await ledger.post(actor, deposit);
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => holds.place(actor, hold(`h${i}`, 30))));
    const won = all.filter(({ status }) => status === 'fulfilled').length;
    expect(won).toBeGreaterThan(0);
    expect(won).toBeLessThanOrEqual(3);
    expect(await ledger.balance(actor, held)).toBe(won * 30);
    expect(await ledger.balance(actor, wallet)).toBe(100 - won * 30);
  });

  it('give back by a timer what nobody settled in time, once, and can not be captured any more', async () => {
    const clock = manualClock();
    const database = databaseOn(embeddedDriver(), { now: clock.now });
    const { ledger, holds, holdWatches } = ledgerOn(database, clock);
    await ledger.post(actor, deposit);
    const expiresAt = isoTime(clock.now() + 60_000);
    await holds.place(actor, { ...hold('h1', 60), expiresAt });
    await holds.place(actor, hold('h2', 10));
    await holds.place(actor, { ...hold('h3', 5), expiresAt });
    await holds.capture(actor, 'h3', 'revenue:sales');
    const { run, sweep, expired } = runnerOf(database, clock, { holds, holdWatches });
    await sweep('early');
    expect(await expired()).toEqual([]);
    clock.advance(60_000);
    await expect(holds.capture(actor, 'h1', 'revenue:sales')).rejects.toMatchObject({ code: 'precondition-failed' });
    await sweep('due');
    await sweep('at once again');
    const [event, ...others] = await expired();
    expect([event?.data, others]).toEqual([{ hold: 'h1' }, []]);
    if (event === undefined) throw new Error('Nothing expired.');
    await Promise.all([run(releaseExpiredHold, event), run(releaseExpiredHold, event)]);
    await run(releaseExpiredHold, event);
    expect([await ledger.balance(actor, wallet), await ledger.balance(actor, held)]).toEqual([85, 10]);
    expect((await holdWatches.query({ limit: 10 })).items.map(({ value }) => value.hold)).toEqual(['h2']);
    clock.advance(7 * 86_400_000);
    await sweep('a week later');
    expect((await expired()).map(({ data }) => data)).toEqual([{ hold: 'h1' }, { hold: 'h2' }]);
  });

  it.each([
    ['in the past', -1],
    ['beyond 90 days', 90 * 86_400_000 + 1],
  ])('have no expiry %s', async (_what, after) => {
    const { ledger, holds, clock } = setup();
    await ledger.post(actor, deposit);
    const late = { ...hold('h1', 1), expiresAt: isoTime(clock.now() + after) };
    await expect(holds.place(actor, late)).rejects.toMatchObject({ code: 'invalid-request' });
  });
});
