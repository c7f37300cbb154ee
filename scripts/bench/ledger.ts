import { randomInt } from 'node:crypto';
import { FieldValue } from '@google-cloud/firestore';
import { loadConfig } from '#shared/config/config.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { systemClock } from '#shared/kernel/clock.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
} from '#shared/payments/ledger/ledger.schema.ts';
import { createLedger } from '#shared/payments/ledger/ledger.service.ts';
import { createRuntime } from '#shared/runtime/runtime.ts';
import { timeOf } from './client.ts';
import { type Ground, tenant } from './ground.ts';
import { interleaved, type Row } from './measure.ts';

const runs = 5;
const concurrency = 32;
const postings = 300;
const shards = 128;

/** All on one hot account of each side, as the payments of one busy gateway are. */
export const ledgerPostings = async ({ environment, firestore }: Ground): Promise<Row> => {
  const runtime = await createRuntime('bench', loadConfig(environment));
  const { database } = runtime;
  const ledger = createLedger({
    database,
    accounts: database.tenants(ledgerAccountCollection),
    entries: database.tenants(ledgerEntryCollection),
    balances: database.tenants(ledgerBalanceCollection),
    clock: systemClock,
  });
  const actor = systemActor(tenant, 'bench');
  const [debit, credit] = ['gateway:acmepay:pending', 'customers:unapplied'];
  const ours = async (run: number): Promise<number> => {
    const milliseconds = await timeOf(postings, concurrency, async (index) => {
      await ledger.post(actor, {
        key: `bench:${run}:${index}`,
        lines: [
          { account: debit, amount: { amount: 100, currency: 'EUR' } },
          { account: credit, amount: { amount: -100, currency: 'EUR' } },
        ],
      });
    });
    return (postings * 1_000) / milliseconds;
  };
  const baseline = async (run: number): Promise<number> => {
    const milliseconds = await timeOf(postings, concurrency, (index) =>
      firestore.runTransaction(async (transaction) => {
        [debit, credit].forEach((account, line) => {
          const amount = line === 0 ? 100 : -100;
          const entry = { transaction: `bench:${run}:${index}`, line, account, amount, currency: 'EUR', at: run };
          transaction.create(firestore.doc(`baselineEntries/${run}:${index}~${line}`), entry);
          const shard = firestore.doc(`baselineBalances/${randomInt(shards)}~${account}`);
          transaction.set(shard, { amount: FieldValue.increment(amount) }, { merge: true });
        });
      }),
    );
    return (postings * 1_000) / milliseconds;
  };
  const pair = await interleaved(runs, ours, baseline);
  await runtime.close();
  return {
    name: 'Ledger postings',
    unit: '/s',
    ...pair,
    ratio: pair.ours / pair.baseline,
    bar: { atLeast: 0.6 },
    how:
      `Median of ${runs} runs of ${postings} postings, ${concurrency} at a time, all on one account of each side. Ours: ` +
      '`ledger.post`, checked, hashed and parsed, each with a key of its own. Baseline: as many transactions of a plain ' +
      'Firestore client that write the same four documents (two lines, two shards of balances).',
    bound: 'both write four documents in one commit, so the emulator, which shares the cores, bounds both.',
  };
};
