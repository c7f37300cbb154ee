import { describe, expect, it } from 'vitest';
import { loadFunctions } from '#scripts/lib/functions.ts';
import { erasers, keptCollections } from '#shared/runtime/erasers.ts';
import { keyEraser } from '#shared/security/index.ts';

const functions = (await loadFunctions()).map(({ definition }) => definition);
const collections = new Map(functions.flatMap((one) => one.collections).map((one) => [one.name, one]));
const all = [...erasers, keyEraser];
const erased = all.flatMap((eraser) => eraser.collections.map(({ name }) => name));

describe('the erasure of a tenant', () => {
  it('covers every collection of a tenant, of every function, once', () => {
    const ofTenants = [...collections.values()].filter(({ scope }) => scope === 'tenant').map(({ name }) => name);
    expect(ofTenants.length).toBeGreaterThanOrEqual(30);
    expect(ofTenants.filter((name) => !erased.includes(name))).toEqual([]);
    expect(erased.filter((name, i) => erased.indexOf(name) !== i)).toEqual([]);
  });

  it('covers every collection of the platform, or says why not', () => {
    const ofPlatform = [...collections.values()].filter(({ scope }) => scope === 'platform').map(({ name }) => name);
    const covered = [...erased, ...keptCollections];
    expect(ofPlatform.filter((name) => !covered.includes(name))).toEqual([]);
    expect(keptCollections.filter((name) => erased.includes(name))).toEqual([]);
  });

  it('finds the documents of a platform collection by its field `tenant`', () => {
    const byField = all.flatMap((eraser) => eraser.collections).filter(({ scope }) => scope === 'platform');
    expect(byField.map(({ name }) => name).sort()).toEqual([
      'apiKeys',
      'deadLetters',
      'domainChecks',
      'domainHosts',
      'factorResetTimers',
      'gatewayAccountIndex',
      'ledgerHoldWatches',
      'onchainScans',
      'onchainWallets',
      'onchainWatches',
      'paymentWatches',
      'providerAccounts',
      'webhookIntake',
    ]);
  });

  it('has the job of every domain in one function', () => {
    const jobs = functions
      .flatMap((one) => one.jobs.map(({ name }) => name))
      .filter((name) => /erase-tenant$/.test(name));
    expect(jobs.sort()).toEqual(erasers.map(({ job }) => job.name).sort());
  });

  it('has reservations, and whatever blobs nobody named, in one domain', () => {
    expect(erasers.filter(({ reservations }) => reservations === true)).toHaveLength(1);
    expect(erasers.filter(({ blobPrefixes = [] }) => blobPrefixes.includes(''))).toHaveLength(1);
  });
});
