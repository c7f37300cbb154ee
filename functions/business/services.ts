import { createBilling, createMonetization, taxJar, vies } from '#shared/business/index.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { createAuditing, subjectCipher } from '#shared/security/index.ts';

export const createServices = (runtime: Runtime) => {
  const { config, blobs, lockedBlobs: rootBlobs, keyRings, tenants } = runtime;
  const { audit } = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(keyRings) });
  const register = config.viesUrl === undefined ? undefined : vies({ baseUrl: config.viesUrl });
  const { apiKey, url: baseUrl } = config.taxJar;
  const salesTax = apiKey === undefined ? undefined : taxJar({ apiKey, baseUrl, cache: runtime.cache });
  const billing = createBilling({ ...runtime, audit, register, salesTax });
  return { ...billing, ...createMonetization({ ...runtime, billing, audit }), tenants, erasing: erasingOf(runtime) };
};

export type BusinessServices = ReturnType<typeof createServices>;
