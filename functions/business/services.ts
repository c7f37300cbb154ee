import {
  createBilling,
  createMonetization,
  ledgerBooks,
  paymentCharges,
  taxJar,
  vies,
} from '#shared/business/index.ts';
import type { Payments } from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { type AuditLog, createAuditing, subjectCipher } from '#shared/security/index.ts';

type Parts = Parameters<typeof import('#shared/runtime/payments.ts').paymentsOn>[0];

/** Payments are loaded when something is first charged or booked: most instances only answer requests. */
const paymentsLater = (parts: Parts, audit: Pick<AuditLog, 'record'>): (() => Promise<Payments>) => {
  let loaded: Promise<Payments> | undefined;
  return () => {
    loaded ??= import('#shared/runtime/payments.ts').then(({ paymentsOn }) => paymentsOn(parts, audit).payments);
    return loaded;
  };
};

export const createServices = (runtime: Runtime) => {
  const { config, blobs, lockedBlobs: rootBlobs, keyRings, tenants } = runtime;
  const { database, bus, makeEvent, newId, clock, logger } = runtime;
  const { audit } = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(keyRings) });
  const register = config.viesUrl === undefined ? undefined : vies({ baseUrl: config.viesUrl });
  const { apiKey, url: baseUrl } = config.taxJar;
  const salesTax = apiKey === undefined ? undefined : taxJar({ apiKey, baseUrl, cache: runtime.cache });
  const payments = paymentsLater({ config, database, bus, tenants, makeEvent, newId, clock, logger }, audit);
  const isSandbox = async (tenant: string) => (await tenants.get(tenant)).sandboxOf !== undefined;
  const charges = paymentCharges({ payments: async () => (await payments()).paymentService });
  const books = ledgerBooks({ ledger: async () => (await payments()).ledger, isSandbox });
  const billing = createBilling({ ...runtime, audit, register, salesTax, charges, books, isSandbox });
  return { ...billing, ...createMonetization({ ...runtime, billing, audit }), tenants, erasing: erasingOf(runtime) };
};

export type BusinessServices = ReturnType<typeof createServices>;
