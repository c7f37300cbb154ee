import { afterAll, describe, expect, it } from 'vitest';
import { acme, askedOnchain, eurc, onchainWorld, startOutside, usdc, wide } from '#tests/support/onchain.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { invoiceId } from './onchain.state.ts';

const minute = 60_000;
const outside = await startOutside();
afterAll(() => outside.stop());
const { chain, clock, one, two, prices } = outside;

const setup = async () => {
  const world = onchainWorld(databaseOn(embeddedDriver(), { now: clock.now }), outside);
  await world.connect();
  // Each world has the same first addresses: what came for the ones before is not its own.
  clock.advance(10 * minute);
  chain.finalise();
  await world.poll();
  const pay = async (change: object = {}) => {
    const { id, nextAction } = await world.paymentService.create(acme, askedOnchain(change));
    if (nextAction?.kind !== 'transfer') throw new Error('There is nothing to be sent.');
    const { address, units } = nextAction;
    const send = (amount: bigint | number = BigInt(units), token: `0x${string}` = usdc) =>
      chain.mine({ token, to: address, units: BigInt(amount) })[0] ?? '0x';
    return { id, address, units: BigInt(units), nextAction, send };
  };
  const get = (id: string) => world.paymentService.get(acme, id);
  const invoice = async (id: string) => {
    const stored = await world.onchain.invoices.of('acme').get(invoiceId(id));
    if (stored === undefined) throw new Error('There is no invoice.');
    return stored.value;
  };
  /** What is in the books, by account without `test:`. */
  const books = async (currency = 'USD') => {
    const { items, difference } = await world.ledger.trialBalance(acme, { currency, book: 'test', limit: 50 });
    expect(difference).toBe(0);
    const rows = items.map(({ account, debit, credit }) => [account.replace(/^test:/, ''), debit - credit] as const);
    return Object.fromEntries(rows.filter(([, balance]) => balance !== 0));
  };
  const told = async () =>
    (await world.emitted())
      .map(({ type }) => type)
      .filter((type) => /^payments\.(payment|receipt|refund)\./.test(type));
  const finalPoll = async () => {
    chain.finalise();
    await world.poll();
  };
  /** The time is over, and every block that was made in time is final. */
  const expire = async () => {
    clock.advance(33 * minute);
    chain.mine();
    await finalPoll();
  };
  return { ...world, pay, get, invoice, books, told, finalPoll, expire };
};

describe('a payment on a chain', () => {
  it('says where what is to be sent, and is captured once what came is final', async () => {
    const { pay, get, invoice, books, told, poll, finalPoll } = await setup();
    const { id, nextAction, send } = await pay();
    expect(nextAction).toMatchObject({ network: 'sepolia', asset: 'USDC', units: '25000000' });
    expect(Date.parse(nextAction.expiresAt) - clock.now()).toBe(30 * minute);
    const transaction = send();
    chain.extend(2);
    await poll();
    expect(await get(id)).toMatchObject({ status: 'pending', captured: 0, nextAction: null });
    expect(await invoice(id)).toMatchObject({ seen: [{ transaction }], transfers: [] });
    expect(await books()).toEqual({});
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 2_500, held: 0 });
    expect(await invoice(id)).toMatchObject({ seen: [], transfers: [{ transaction, kind: 'in-time' }] });
    expect(await books()).toEqual({ 'gateway:onchain:pending': 2_500, 'customers:unapplied': -2_500 });
    expect(await told()).toEqual(['payments.payment.succeeded']);
  });

  it('goes back to waiting when what was seen is gone, and nothing was booked', async () => {
    const { pay, get, books, poll, finalPoll } = await setup();
    const { id, send } = await pay();
    send();
    await poll();
    expect((await get(id)).status).toBe('pending');
    chain.reorganise(1);
    await poll();
    expect(await get(id)).toMatchObject({ status: 'requires-action', nextAction: { units: '25000000' } });
    await finalPoll();
    expect([(await get(id)).status, await books()]).toEqual(['requires-action', {}]);
    send();
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 2_500 });
  });

  it('can be completed when too little came, and says what is missing', async () => {
    const { pay, get, books, poll, finalPoll } = await setup();
    const { id, send } = await pay();
    send(10_000_000);
    await poll();
    expect(await get(id)).toMatchObject({ status: 'requires-action', nextAction: { units: '15000000' } });
    await finalPoll();
    expect([await get(id), await books()]).toMatchObject([{ nextAction: { units: '15000000' } }, {}]);
    send(15_000_000);
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 2_500 });
    expect(await books()).toMatchObject({ 'customers:unapplied': -2_500 });
  });

  it('expires when too little came in time; what came is held until somebody decides', async () => {
    const { pay, get, books, told, finalPoll, expire, onchain, sync, database } = await setup();
    const { id, send } = await pay();
    send(10_000_000);
    await finalPoll();
    await expire();
    expect(await get(id)).toMatchObject({ status: 'expired', captured: 0, held: 1_000 });
    expect(await books()).toEqual({ 'gateway:onchain:pending': 1_000, 'customers:undecided': -1_000 });
    const gateway = onchain.gateway({
      credentials: { xpub: (await import('#tests/support/onchain.ts')).testXpub },
      livemode: false,
      tenant: 'acme',
    });
    await gateway.accept?.(invoiceId(id), 'k');
    await sync.refresh('acme', id, (work) => database.transaction(work));
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 1_000, held: 0 });
    expect(await books()).toEqual({ 'gateway:onchain:pending': 1_000, 'customers:unapplied': -1_000 });
    expect((await told()).sort()).toEqual([
      'payments.payment.failed',
      'payments.payment.succeeded',
      'payments.receipt.accepted',
      'payments.receipt.held',
    ]);
  });

  it('keeps apart what came too much', async () => {
    const { pay, get, books, finalPoll } = await setup();
    const { id, send } = await pay();
    send(20_000_000);
    send(10_000_000);
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 2_500, held: 500 });
    expect(await books()).toEqual({
      'gateway:onchain:pending': 3_000,
      'customers:unapplied': -2_500,
      'customers:surplus': -500,
    });
    send(1_000_000);
    await finalPoll();
    expect(await get(id)).toMatchObject({ held: 600 });
    expect(await books()).toMatchObject({ 'customers:surplus': -600 });
  });

  it("takes what comes late for the payer's, and finds it though nobody waits any more", async () => {
    const { pay, get, books, finalPoll, expire, poll } = await setup();
    const { id, send } = await pay();
    await expire();
    expect(await get(id)).toMatchObject({ status: 'expired', held: 0 });
    send();
    await finalPoll();
    await poll('closed');
    expect(await get(id)).toMatchObject({ status: 'expired', captured: 0, held: 2_500 });
    expect(await books()).toEqual({ 'gateway:onchain:pending': 2_500, 'customers:undecided': -2_500 });
  });

  it('counts what was in a block by the end of the lock and a little longer', async () => {
    const { pay, get, finalPoll } = await setup();
    const [intime, late] = [await pay(), await pay()];
    clock.advance(32 * minute);
    intime.send();
    clock.advance(2_000);
    late.send();
    chain.mine();
    await finalPoll();
    expect(await get(intime.id)).toMatchObject({ status: 'captured', captured: 2_500 });
    expect(await get(late.id)).toMatchObject({ status: 'expired', held: 2_500 });
  });

  it('locks the rate for a price in another currency, and values what comes late by the rate then', async () => {
    const { pay, get, invoice, books, finalPoll, expire, poll, settle } = await setup();
    const paid = await pay({ currency: 'EUR' });
    expect(paid.units).toBe(27_173_914n);
    prices.prices.set('USDC-EUR', '0.50');
    clock.advance(minute);
    paid.send();
    await finalPoll();
    expect(await get(paid.id)).toMatchObject({ status: 'captured', captured: 2_500 });
    expect(await invoice(paid.id)).toMatchObject({ rate: { price: '0.92', source: 'coinbase' } });
    prices.prices.set('USDC-EUR', '0.92');
    clock.advance(minute);
    const late = await pay({ currency: 'EUR' });
    await expire();
    prices.prices.set('USDC-EUR', '0.90');
    late.send(10_000_000);
    await finalPoll();
    prices.faults.push('fail', 'fail', 'fail');
    await poll('closed');
    expect(await get(late.id)).toMatchObject({ status: 'expired', held: 0 });
    clock.advance(minute);
    await settle();
    expect(await get(late.id)).toMatchObject({ status: 'expired', held: 900 });
    expect(await books('EUR')).toMatchObject({ 'customers:undecided': -900 });
    prices.prices.set('USDC-EUR', '0.92');
  });

  it('reckons tokens of 18 digits without loss', async () => {
    const { pay, get, finalPoll } = await setup();
    const source = [{ gateway: 'onchain', paymentMethod: 'WIDE-sepolia' }];
    const { id, units, send } = await pay({ amount: 999_999_999_999, sources: source });
    expect(units).toBe(9_999_999_999_990_000_000_000_000_000n);
    send(units - 1n, wide);
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'requires-action', nextAction: { units: '1' } });
    send(1n, wide);
    await finalPoll();
    // A unit is dust, which nobody counts: it takes a cent's worth to complete it.
    expect((await get(id)).status).toBe('requires-action');
    send(10n ** 16n, wide);
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'captured', captured: 999_999_999_999 });
  });

  it('holds what came in another token than was asked for', async () => {
    const { pay, get, books, finalPoll } = await setup();
    const { id, send } = await pay({ currency: 'EUR' });
    send(5_000_000, eurc);
    await finalPoll();
    expect(await get(id)).toMatchObject({ status: 'requires-action', held: 500 });
    expect(await books('EUR')).toMatchObject({ 'customers:undecided': -500 });
  });

  it('is not moved by transfers of nothing, nor by dust', async () => {
    const { pay, invoice, finalPoll } = await setup();
    const { id, send } = await pay();
    send(0);
    send(9_999);
    await finalPoll();
    expect(await invoice(id)).toMatchObject({ transfers: [], seen: [] });
  });

  it('can be canceled until something is seen, and what comes then is late', async () => {
    const { pay, get, paymentService, poll, finalPoll } = await setup();
    const [unpaid, seen] = [await pay(), await pay()];
    seen.send();
    await poll();
    await expect(paymentService.cancel(acme, seen.id)).rejects.toMatchObject({ code: 'precondition-failed' });
    expect(await paymentService.cancel(acme, unpaid.id)).toMatchObject({ status: 'canceled' });
    unpaid.send();
    await finalPoll();
    expect(await get(unpaid.id)).toMatchObject({ status: 'canceled', captured: 0, held: 2_500 });
    expect(await get(seen.id)).toMatchObject({ status: 'captured' });
  });
});

describe('two nodes', () => {
  it('credit nothing that only one of them tells, and wait', async () => {
    const { pay, get, books, lines, finalPoll, poll } = await setup();
    const { id, send } = await pay();
    const hidden = send();
    two.manner.hides.add(hidden);
    await finalPoll();
    expect([(await get(id)).status, await books()]).toEqual(['requires-action', {}]);
    expect(JSON.stringify(lines)).toContain('do not agree');
    expect(JSON.stringify(lines)).not.toContain('the-key-of-the-node');
    two.manner.hides.clear();
    await poll();
    expect(await get(id)).toMatchObject({ status: 'captured' });
  });

  it('wait for the one that is behind', async () => {
    const { pay, get, finalPoll, poll } = await setup();
    const { id, send } = await pay();
    two.manner.behind = 3;
    send();
    chain.extend(2);
    await finalPoll();
    expect((await get(id)).status).toBe('requires-action');
    two.manner.behind = 0;
    await poll();
    expect(await get(id)).toMatchObject({ status: 'captured' });
  });

  it.each(['fail', 'stall', 'nonsense'] as const)('lose nothing when one of them does this: %s', async (fault) => {
    const { pay, get, finalPoll, poll } = await setup();
    const { id, send } = await pay();
    send();
    one.fault('eth_getLogs', fault, 2);
    await finalPoll();
    expect((await get(id)).status).toBe('requires-action');
    await poll();
    expect(await get(id)).toMatchObject({ status: 'captured' });
  });

  it('are left alone for a while after a 429, by every instance', async () => {
    const world = await setup();
    const { id, send } = await world.pay();
    send();
    chain.finalise();
    one.fault('eth_getLogs', 'rate-limit', 1);
    await world.poll();
    const before = one.requests.length;
    const other = onchainWorld(world.onchainDatabase, outside);
    clock.advance(-minute);
    await other.poll();
    expect(one.requests.length).toBe(before);
    await world.poll();
    await world.poll();
    expect(await world.get(id)).toMatchObject({ status: 'captured' });
  });

  it('are not believed where they are of another chain, or know a token otherwise', async () => {
    const { lines } = await setup();
    one.manner.chainId = 1;
    const wrong = await setup();
    expect(JSON.stringify(wrong.lines)).toContain('is of another chain');
    one.manner.chainId = 11_155_111;
    two.manner.decimals.set(usdc.toLowerCase(), 18);
    const other = await setup();
    expect(JSON.stringify(other.lines)).toContain('the decimals of USDC');
    two.manner.decimals.clear();
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});
