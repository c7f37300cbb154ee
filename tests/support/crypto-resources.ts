import { createHash } from 'node:crypto';
import { HDKey } from '@scure/bip32';
import * as z from 'zod';
import { onchainInvoiceCollection } from '#shared/payments/onchain/onchain.schema.ts';
import { invoiceId } from '#shared/payments/onchain/onchain.state.ts';
import type { Operation } from './operations.ts';
import { request, type TestRuntime } from './runtime.ts';

const path = '/api/v1/crypto';
const idSchema = z.object({ id: z.string() });
const at = '2026-01-01T00:00:00.000Z';
const somebody = '0x00000000000000000000000000000000000000aa';

/** A wallet of the tenant's own: one key belongs to one tenant. */
const xpubOf = (tenant: string): string =>
  HDKey.fromMasterSeed(createHash('sha512').update(tenant).digest()).derive("m/44'/60'/0'").publicExtendedKey;

/** Payments on the local chain of `outsideEnvironment`; of some, money has come too late and waits for a decision. */
export const makeCrypto = async (
  { database }: TestRuntime,
  operations: readonly Operation[],
  key: string,
  tenant: string,
): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> => {
  const own = operations.find((operation) => operation.path.startsWith(path));
  if (own === undefined) return {};
  const post = async (to: string, body: unknown): Promise<string> => {
    const text = await (await request(own.app, to, { key, method: 'POST', body })).text();
    const made = idSchema.safeParse(JSON.parse(text));
    if (!made.success) throw new Error(`${to} answers ${text}`);
    return made.data.id;
  };
  const credentials = { xpub: xpubOf(tenant), asset: 'USDC-base' };
  await post('/api/v1/payments/gateway-accounts', { gateway: 'onchain', mode: 'live', credentials });
  const pay = () => post(`${path}/payments`, { amount: 2_500, currency: 'USD', asset: 'USDC-base' });
  const invoices = database.tenants(onchainInvoiceCollection).of(tenant);
  /** As the job that reads the chain leaves it. */
  const late = async (): Promise<string> => {
    const id = await pay();
    const invoice = await invoices.get(invoiceId(id));
    if (invoice === undefined) throw new Error('A payment on a chain has an invoice.');
    const transaction = `0x${createHash('sha256').update(id).digest('hex')}` as const;
    const transfer = { id: `${transaction}-0`, transaction, block: 7, at, from: somebody, token: 'USDC' } as const;
    const transfers = [{ ...transfer, units: invoice.value.units, kind: 'late' as const, value: 2_500 }];
    await invoices.update(invoice.id, { ...invoice.value, expiresAt: at, closedAt: at, transfers, undecided: true });
    return id;
  };
  const [first, unseen, waiting, other, taken] = [await pay(), await pay(), await late(), await late(), await late()];
  await post(`${path}/payments/${taken}/accept`, undefined);
  const refund = await post(`${path}/payments/${taken}/refunds`, { amount: 100 });
  return {
    [`${path}/payments/{id}`]: { id: first },
    [`${path}/payments/{id}/balance`]: { id: first },
    [`${path}/payments/{id}/cancel`]: { id: unseen },
    [`${path}/payments/{id}/accept`]: { id: waiting },
    [`${path}/payments/{id}/returns`]: { id: other },
    [`${path}/payments/{id}/refunds`]: { id: taken },
    [`${path}/payments/{id}/refunds/{refund}/settle`]: { id: taken, refund },
  };
};

/** What payments on the local chain take. */
export const cryptoBodies: Readonly<Record<string, { readonly body: unknown }>> = {
  [`POST ${path}/quotes`]: { body: { amount: 2_500, currency: 'EUR', asset: 'USDC-base' } },
  [`POST ${path}/payments`]: { body: { amount: 2_500, currency: 'USD', asset: 'USDC-base' } },
  [`POST ${path}/payments/{id}/returns`]: { body: { receipt: 'late', transaction: `0x${'ab'.repeat(32)}` } },
  [`POST ${path}/payments/{id}/refunds`]: { body: { amount: 100 } },
  [`POST ${path}/payments/{id}/refunds/{refund}/settle`]: { body: { transaction: `0x${'ab'.repeat(32)}` } },
};
