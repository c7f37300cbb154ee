import { describe, expect, inject, it } from 'vitest';
import { newProjectId } from '#tests/support/firestore.ts';
import { OmniError } from '../kernel/errors.ts';
import { embeddedDatabase } from '../store/embedded.ts';
import { firestoreDatabase } from '../store/firestore.ts';
import type { Database } from '../store/store.ts';
import { intakeKeeper, type Kept } from './intake.keeper.ts';
import { intakeCollection } from './intake.schema.ts';

const webhook = (id: string, more: Partial<Kept['entry']> = {}): Kept => ({
  id,
  entry: {
    provider: 'stripe',
    account: 'acct_1',
    type: 'invoice.paid',
    tenant: 'acme',
    receivedAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2099-01-01T00:00:00.000Z',
    ...more,
  },
});
const twenty = Array.from({ length: 20 }, (_, i) => i);

/** Counts commits, and fails those that `fails` names by their number. */
const keeperOn = (database: Database, fails: readonly number[] = []) => {
  const intake = database.platform(intakeCollection);
  let commits = 0;
  const transaction: Database['transaction'] = (work) => {
    commits += 1;
    if (fails.includes(commits)) return Promise.reject(new OmniError('unavailable', 'It is down.'));
    return database.transaction(work);
  };
  return { intake, keep: intakeKeeper({ database: { transaction }, intake }), commits: () => commits };
};
const stored = async (intake: ReturnType<typeof keeperOn>['intake']): Promise<number> =>
  (await intake.query({ limit: 100 })).items.length;
const open = () => keeperOn(embeddedDatabase());

describe('webhooks that come at the same time', () => {
  it('share a commit', async () => {
    const { keep, intake, commits } = open();
    expect(await Promise.all(twenty.map((i) => keep(webhook(`whk_${i}`))))).toEqual(twenty.map(() => true));
    expect(await stored(intake)).toBe(20);
    expect(commits()).toBe(1);
  });

  it('are told apart, where some were there before', async () => {
    const { keep, intake } = open();
    for (const i of [3, 7]) await keep(webhook(`whk_${i}`));
    expect(await Promise.all(twenty.map((i) => keep(webhook(`whk_${i}`))))).toEqual(
      twenty.map((i) => i !== 3 && i !== 7),
    );
    expect(await stored(intake)).toBe(20);
  });

  it('do not fail by one that no document could hold', async () => {
    const { keep, intake } = open();
    const outcomes = await Promise.allSettled(
      twenty.map((i) => keep(webhook(`whk_${i}`, i === 5 ? { type: '\ud800' } : {}))),
    );
    expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([5]);
    expect(await stored(intake)).toBe(19);
  });

  it('all fail while the database is down, without asking it once for each, and go through afterwards', async () => {
    const { keep, commits } = keeperOn(embeddedDatabase(), [1]);
    const outcomes = await Promise.allSettled(twenty.map((i) => keep(webhook(`whk_${i}`))));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(commits()).toBe(1);
    expect(await keep(webhook('whk_1'))).toBe(true);
  });

  it('are new to one of twenty that have the same id, on Firestore', async () => {
    const database = firestoreDatabase({ projectId: newProjectId(), emulatorHost: inject('firestoreHost') });
    const [one, other] = [keeperOn(database), keeperOn(database)];
    const outcomes = await Promise.all(
      twenty.flatMap((i) => [(i % 2 === 0 ? one : other).keep(webhook('whk_same')), one.keep(webhook(`whk_${i}`))]),
    );
    expect(outcomes.filter((_, i) => i % 2 === 0).filter(Boolean)).toHaveLength(1);
    expect(outcomes.filter((_, i) => i % 2 === 1).every(Boolean)).toBe(true);
    await database.close();
  });
});
