import { timingSafeEqual } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { impersonalAudit } from '#tests/support/auditing.ts';
import { systemActor } from '../../kernel/actor.ts';
import { isoTime, manualClock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { createTenantService, tenantCollection } from '../../platform/index.ts';
import { openQuotas } from '../../runtime/quotas.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { generateKey } from './api-key.format.ts';
import { apiKeyCollection } from './api-key.schema.ts';
import { createApiKeyService } from './api-key.service.ts';

// It still compares; only its calls are seen.
vi.mock('node:crypto', { spy: true });

const cacheFor = 30_000;

const start = async () => {
  const clock = manualClock();
  const database = embeddedDatabase({ now: clock.now });
  const records = database.platform(tenantCollection);
  const tenants = createTenantService({ database, tenants: records, clock });
  const stored = database.platform(apiKeyCollection);
  let reads = 0;
  let failure: Error | undefined;
  const keys = {
    ...stored,
    get: async (id: string) => {
      reads += 1;
      if (failure !== undefined) throw failure;
      return stored.get(id);
    },
  };
  const quotas = openQuotas(database, tenants, clock);
  const audit = impersonalAudit(database, clock);
  const instance = () => createApiKeyService({ database, keys, tenants, quotas, audit, clock, cacheFor });
  await tenants.ensure('acme', {
    name: 'Acme',
    settings: { requestsPerMinute: 500, corsOrigins: ['https://acme.example'] },
  });
  return {
    clock,
    stored,
    instance,
    service: instance(),
    reads: () => reads,
    fail: (error: Error) => {
      failure = error;
    },
    setStatus: async (status: 'active' | 'suspended') => {
      await records.update('acme', { ...(await tenants.get('acme')), status });
    },
  };
};

let here: Awaited<ReturnType<typeof start>>;
beforeEach(async () => {
  here = await start();
});
const acme = { tenant: 'acme', name: 'ci', scopes: ['ai:read'] };

describe('a key', () => {
  it('stands for its tenant with its scopes and limits, and with its tenant’s settings', async () => {
    const { id, text } = await here.service.issue({ ...acme, requestsPerMinute: 70 });
    expect(await here.service.authenticate(text)).toEqual({
      actor: { tenant: 'acme', kind: 'key', id, scopes: new Set(['ai:read']) },
      limits: { tenant: 500, key: 70 },
      corsOrigins: ['https://acme.example'],
    });
  });

  it('is stored by its hash alone', async () => {
    const { id, text } = await here.service.issue(acme);
    const record = JSON.stringify(await here.stored.get(id));
    expect(record).not.toContain(text);
    expect(record).not.toContain(text.slice(21, 64));
  });

  it.each([
    { scopes: [] },
    { scopes: ['AI:READ'] },
    { scopes: ['ai'] },
    { requestsPerMinute: 0 },
    { expiresAt: 'soon' },
  ])('is not issued with %j', async (wrong) => {
    await expect(here.service.issue({ ...acme, ...wrong })).rejects.toThrow();
  });
});

describe('who is nobody', () => {
  it('is told so by a mistyped key without a store read', async () => {
    const { text } = await here.service.issue(acme);
    const mistyped = text.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    expect(here.service.authenticate(mistyped)).toBeUndefined();
    expect(here.service.authenticate('garbage')).toBeUndefined();
    expect(here.reads()).toBe(0);
  });

  it('has a key that was never issued', async () => {
    expect(await here.service.authenticate(generateKey().text)).toBeUndefined();
    expect(here.reads()).toBe(1);
  });

  it('knows another key’s prefix, whether that is cached or not', async () => {
    const [mine, forged] = [generateKey(), generateKey()];
    const { id, text } = await here.service.issue(acme);
    await here.stored.create(mine.prefix, { ...(await recordOf(id)), secretHash: forged.secretHash });
    expect(await here.service.authenticate(mine.text)).toBeUndefined();
    await here.service.authenticate(text);
    await here.stored.update(id, { ...(await recordOf(id)), secretHash: forged.secretHash });
    here.clock.advance(cacheFor);
    expect(await here.service.authenticate(text)).toBeUndefined();
  });

  it('is compared in constant time, also where there is nothing to compare with', async () => {
    const { text } = await here.service.issue(acme);
    for (const key of [text, text, generateKey().text]) {
      vi.mocked(timingSafeEqual).mockClear();
      await here.service.authenticate(key);
      expect(timingSafeEqual).toHaveBeenCalledOnce();
    }
  });

  it('is not someone because the store is down', async () => {
    const { text } = await here.service.issue(acme);
    here.fail(new OmniError('unavailable', 'down'));
    await expect(here.service.authenticate(text)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

const recordOf = async (id: string) => {
  const found = await here.stored.get(id);
  if (found === undefined) throw new Error(`There is no key ${id}.`);
  return found.value;
};

describe('what an instance has read', () => {
  it('answers at once and without the store until it is 30 s old', async () => {
    const { text } = await here.service.issue(acme);
    const first = await here.service.authenticate(text);
    here.clock.advance(cacheFor - 1);
    expect(here.service.authenticate(text)).toBe(first);
    expect(here.reads()).toBe(1);
    here.clock.advance(1);
    await here.service.authenticate(text);
    expect(here.reads()).toBe(2);
  });

  it('is not kept of keys that are refused', async () => {
    const { text } = generateKey();
    await here.service.authenticate(text);
    await here.service.authenticate(text);
    expect(here.reads()).toBe(2);
  });

  it('does not outlive the key', async () => {
    const { text } = await here.service.issue({ ...acme, expiresAt: isoTime(here.clock.now() + 10_000) });
    here.clock.advance(9_999);
    expect(await here.service.authenticate(text)).toBeDefined();
    here.clock.advance(1);
    expect(await here.service.authenticate(text)).toBeUndefined();
  });
});

describe('a revoked key', () => {
  it('is refused at once where it was revoked, and within 30 s by the other instances', async () => {
    const other = here.instance();
    const { id, text } = await here.service.issue(acme);
    await here.service.authenticate(text);
    await other.authenticate(text);
    await here.service.revoke(systemActor('acme', 'test'), id);
    expect(await here.service.authenticate(text)).toBeUndefined();
    expect(await other.authenticate(text)).toBeDefined();
    here.clock.advance(cacheFor);
    expect(await other.authenticate(text)).toBeUndefined();
  });

  it('is told when', async () => {
    const { id } = await here.service.issue(acme);
    here.clock.advance(5_000);
    await here.service.revoke(systemActor('acme', 'test'), id);
    expect(await recordOf(id)).toMatchObject({ revokedAt: '2026-01-01T00:00:05.000Z' });
  });

  it('can only be one’s own', async () => {
    const { id, text } = await here.service.issue(acme);
    await expect(here.service.revoke(systemActor('other', 'test'), id)).rejects.toMatchObject({ code: 'not-found' });
    await expect(here.service.revoke(systemActor('acme', 'test'), 'nobody')).rejects.toMatchObject({
      code: 'not-found',
    });
    expect(await here.service.authenticate(text)).toBeDefined();
  });
});

describe('a tenant', () => {
  it('that is suspended has no keys within 30 s, and has them back when it is active again', async () => {
    const { text } = await here.service.issue(acme);
    await here.service.authenticate(text);
    await here.setStatus('suspended');
    here.clock.advance(cacheFor);
    expect(await here.service.authenticate(text)).toBeUndefined();
    await here.setStatus('active');
    expect(await here.service.authenticate(text)).toBeDefined();
  });

  it('that is gone has no keys', async () => {
    const { text } = await here.service.issue({ ...acme, tenant: 'gone' });
    expect(await here.service.authenticate(text)).toBeUndefined();
  });
});

describe('a rotated key', () => {
  const owner = systemActor('acme', 'test');
  const month = 30 * 24 * 3_600;

  it('is replaced by one, and that one by none while the first is still good', async () => {
    const { id } = await here.service.issue(acme);
    const second = await here.service.rotate(owner, id, month);
    for (const again of [id, second.id]) {
      await expect(here.service.rotate(owner, again, month)).rejects.toMatchObject({ code: 'precondition-failed' });
    }
    await here.service.revoke(owner, id);
    const third = await here.service.rotate(owner, second.id, 60);
    expect(third.rotatedFrom).toBe(second.id);
    here.clock.advance(60_000);
    expect(await here.service.authenticate(third.key)).toBeDefined();
    await here.service.rotate(owner, third.id, 0);
  });

  it('has one successor, however many ask at once', async () => {
    const { id } = await here.service.issue(acme);
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => here.service.rotate(owner, id, month)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('was not over: what has expired stays so', async () => {
    const { id } = await here.service.issue({ ...acme, expiresAt: isoTime(here.clock.now() + 1_000) });
    here.clock.advance(1_000);
    await expect(here.service.rotate(owner, id, 0)).rejects.toMatchObject({ code: 'precondition-failed' });
  });
});
