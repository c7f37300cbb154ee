import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker, parseEvent } from '#shared/events/define-event.ts';
import type { Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { platformTenant } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createPayments } from '#shared/payments/compose.ts';
import { type ChainReader, chainReader } from '#shared/payments/onchain/chain-reader.ts';
import { chainsOf } from '#shared/payments/onchain/chains.ts';
import {
  closedAddresses,
  openAddresses,
  pollChain,
  startChainPolls,
  valueTransfers,
} from '#shared/payments/onchain/onchain.jobs.ts';
import { createOnchain } from '#shared/payments/onchain/onchain.ts';
import { coinbaseRates } from '#shared/payments/onchain/rates.ts';
import { refreshDuePayment } from '#shared/payments/payments/payment.jobs.ts';
import { paymentInputSchema } from '#shared/payments/payments/payment.schema.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import type { Database } from '#shared/store/store.ts';
import { memoryLogger } from '#shared/telemetry/index.ts';
import { createEvmChain, startEvmNode } from './evm-node.ts';
import { startRatesServer } from './rates-server.ts';

/** m/44'/60'/0' of "test test test test test test test test test test test junk", the phrase of every test network. */
export const testXpub =
  'xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54JoNXVsXFYSYwHsnJxqP';
export const usdc = '0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238';
export const eurc = '0x08210F9170F89Ab7658F0B5E3fF39b0E03C594D4';
/** A token of 18 digits, which a test adds. */
export const wide = '0x00000000000000000000000000000000000000d1';

/** Sepolia on this machine: a chain, two nodes of it, and a price server. */
export const startOutside = async (clock: ManualClock = manualClock()) => {
  const chain = createEvmChain({ now: clock.now });
  chain.extend(5);
  chain.finalise();
  const options = { chainId: 11_155_111, tokens: { [usdc]: 6, [eurc]: 6, [wide]: 18 }, now: clock.now };
  const [one, two] = [await startEvmNode(chain, options), await startEvmNode(chain, options)];
  const prices = await startRatesServer();
  return {
    clock,
    chain,
    one,
    two,
    prices,
    endpoints: [`sepolia=${one.url}`, `sepolia=${two.url}`],
    tokens: [`sepolia:WIDE:${wide}:18:USD`],
    stop: async () => {
      await Promise.all([one.stop(), two.stop(), prices.stop()]);
    },
  };
};
export type Outside = Awaited<ReturnType<typeof startOutside>>;

export const acme = systemActor('acme', 'test');

/** A payment on the chain, with the defaults that the API fills in. */
export const askedOnchain = (change: object = {}) =>
  paymentInputSchema.parse({
    amount: 2_500,
    currency: 'USD',
    mode: 'test',
    sources: [{ gateway: 'onchain', paymentMethod: 'USDC-sepolia' }],
    ...change,
  });

/** One instance of the payments function that receives on a chain. */
export const onchainWorld = (
  database: Database,
  outside: Outside,
  readerOf: (reader: ChainReader) => ChainReader = (reader) => reader,
) => {
  const { clock } = outside;
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  const logger = memoryLogger();
  const wait = async () => {};
  const onchain = createOnchain({
    database,
    chains: chainsOf(outside.endpoints, outside.tokens),
    rates: coinbaseRates({ baseUrl: outside.prices.baseUrl, clock, timeout: 0.5, wait }),
    clock,
    openReader: (chain) => readerOf(chainReader(chain, { clock, timeout: 0.5, wait })),
  });
  const payments = createPayments({
    database,
    openGateway: async (_name, opening) => onchain.gateway(opening),
    isSandbox: async () => false,
    claim: async () => {},
    audit: { record: async () => 'aud_1' },
    makeEvent,
    newId,
    clock,
    logger,
  });
  const services = { ...payments, onchain };
  const inbox = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const deadLetters = createDeadLetters({ database, letters, inbox, clock });
  const entries = createInbox({ entries: inbox, clock });
  const runJob = createJobRunner({ database, inbox: entries, deadLetters, logger });
  const run = (job: Job<typeof services>, event: DomainEvent) => runJob(job, event, services);
  const emitted = async (): Promise<DomainEvent[]> => {
    const { items } = await database.platform(outboxCollection).query({ limit: 1_000 });
    return items.map(({ value }) => parseEvent(JSON.parse(value.event)));
  };
  const jobs = [startChainPolls, pollChain, valueTransfers, refreshDuePayment];
  const handled = new Set<string>();

  /** Every event that is there and was not handled yet reaches its jobs, until there is none. */
  const settle = async (): Promise<void> => {
    const failed = new Set<string>();
    for (let isNew = true; isNew; ) {
      const fresh = (await emitted()).filter(({ id }) => !handled.has(id) && !failed.has(id));
      isNew = fresh.length > 0;
      for (const event of fresh) {
        handled.add(event.id);
        for (const job of jobs.filter(({ eventTypes }) => eventTypes.includes(event.type))) {
          // The bus brings again what a worker has that may be dead, too.
          if (['retry', 'busy'].includes(await run(job, event))) failed.add(event.id);
        }
      }
    }
    // They come again with the next call.
    for (const id of failed) handled.delete(id);
  };
  const tick = (tier: 'open' | 'closed'): DomainEvent => {
    const schedule = tier === 'open' ? openAddresses : closedAddresses;
    const data = { schedule: schedule.name };
    return makeEvent(schedule.event, { tenant: platformTenant, subject: 'tick', data });
  };
  return {
    ...services,
    onchainDatabase: database,
    run,
    emitted,
    lines: logger.lines,
    settle,
    tick,
    /** A timer, and everything that follows from it. Its clock is a minute later. */
    poll: async (tier: 'open' | 'closed' = 'open'): Promise<void> => {
      clock.advance(60_000);
      await run(startChainPolls, tick(tier));
      await settle();
    },
    connect: (credentials: Readonly<Record<string, string>> = { xpub: testXpub }, tenant = 'acme') =>
      payments.gatewayAccounts.connect(systemActor(tenant, 'test'), {
        gateway: 'onchain',
        mode: 'test',
        credentials: { ...credentials },
        enabled: true,
        cost: { basisPoints: 0, fixed: 0 },
        countries: [],
      }),
  };
};
export type OnchainWorld = ReturnType<typeof onchainWorld>;
