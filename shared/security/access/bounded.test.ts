import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { systemActor } from '../../kernel/actor.ts';
import { newId } from '../../kernel/ids.ts';
import { secretCollection } from '../secrets/secret.schema.ts';
import { serviceAccountCollection } from '../service-accounts/service-account.schema.ts';
import { roleCollection } from './role.schema.ts';

describe.each(['embedded', 'firestore'] as const)('on the %s store', async (database) => {
  const runtime = await testRuntime({ database });
  const { roles, secrets, serviceAccounts } = createServices(runtime);
  const createdAt = '2026-01-01T00:00:00.000Z';
  const versions = [{ version: 1, state: 'enabled' as const, createdAt }];

  /** Makes so many at once, straight in the store. */
  const fill = async (tenant: string, many: number, create: (nth: number) => Promise<unknown>): Promise<void> => {
    await runtime.tenants.ensure(tenant, { name: tenant });
    for (let at = 0; at < many; at += 100) {
      await Promise.all(Array.from({ length: Math.min(100, many - at) }, (_, i) => create(at + i)));
    }
  };

  it.each([
    [
      'roles',
      199,
      (tenant: string, nth: number) =>
        runtime.database
          .tenants(roleCollection)
          .of(tenant)
          .create(`role-${nth}`, { description: '', scopes: ['ai:read'], createdAt, updatedAt: createdAt }),
      (tenant: string, nth: number) =>
        roles.put(systemActor(tenant, 'test'), `another-${nth}`, { scopes: ['ai:read'] }),
    ],
    [
      'service accounts',
      99,
      (tenant: string, nth: number) =>
        runtime.database
          .tenants(serviceAccountCollection)
          .of(tenant)
          .create(`sva_${nth}`, { name: 'x', scopes: ['ai:read'], secretHash: '0'.repeat(64), epoch: 0, createdAt }),
      (tenant: string) =>
        serviceAccounts.create(systemActor(tenant, 'test'), { name: 'one more', scopes: ['ai:read'] }),
    ],
    [
      'secrets',
      999,
      (tenant: string, nth: number) =>
        runtime.database.tenants(secretCollection).of(tenant).create(`secret-${nth}`, { createdAt, versions }),
      (tenant: string, nth: number) => secrets.create(systemActor(tenant, 'test'), `another-${nth}`, 'value'),
    ],
  ])('of twenty who make the last of a tenant’s %s at once one does', async (_what, many, create, make) => {
    const tenant = newId('t').toLowerCase().replace('_', '-');
    await fill(tenant, many, (nth) => create(tenant, nth));
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, nth) => make(tenant, nth)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = new Set(all.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : [])));
    expect(codes).toEqual(new Set(['precondition-failed']));
  });
});
