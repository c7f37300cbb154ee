import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { tenantCollection } from './tenant.schema.ts';
import { createTenantService } from './tenant.service.ts';

describe.each([
  ['the embedded store', () => embeddedDatabase()],
  ['Firestore', () => testDatabase()],
])('tenants on %s', (_name, open) => {
  const clock = manualClock();
  const database = open();
  const service = createTenantService({ database, tenants: database.platform(tenantCollection), clock });

  it('are active from the start, with defaults for what is not said', async () => {
    const made = await service.ensure('acme', { name: 'Acme', settings: { requestsPerMinute: 10 } });
    expect(made).toEqual({
      id: 'acme',
      name: 'Acme',
      status: 'active',
      slug: 'acme',
      formerSlugs: [],
      plan: { id: 'enterprise', overrides: {} },
      settings: { corsOrigins: [], requestsPerMinute: 10, locale: 'en', timeZone: 'Etc/UTC', supportEmail: null },
      restoreHashes: [],
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
    });
    expect(await service.get('acme')).toEqual(made);
  });

  it('stay as they are when they are there', async () => {
    const first = await service.ensure('twice', { name: 'First' });
    clock.advance(1_000);
    expect(await service.ensure('twice', { name: 'Second', settings: { requestsPerMinute: 1 } })).toEqual(first);
  });

  it('are made once, however many ask at once', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `Name ${i}`);
    const all = await Promise.all(names.map((name) => service.ensure('race', { name })));
    expect(new Set(all.map(({ name }) => name)).size).toBe(1);
  });

  it('are not found where there are none', async () => {
    await expect(service.get('nobody')).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each(['', '-', 'a', 'Acme', 'a b', '../a', 'a/b', '-a', 'a-', '__proto__', 'x'.repeat(64)])(
    'have no id like "%s"',
    async (id) => {
      await expect(service.ensure(id, { name: 'x' })).rejects.toMatchObject({ code: 'invalid-request' });
    },
  );

  it.each([
    { corsOrigins: ['*'] },
    { corsOrigins: ['https://a.example/path'] },
    { corsOrigins: ['javascript:alert(1)'] },
    { requestsPerMinute: 0 },
  ])('have no settings like %j', async (settings) => {
    await expect(service.ensure('wrong', { name: 'x', settings })).rejects.toThrow();
    await expect(service.get('wrong')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('are listed page by page in order of id', async () => {
    for (const id of ['list-b', 'list-a', 'list-c']) await service.ensure(id, { name: id });
    const seen: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await service.list({ limit: 2, cursor });
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen.filter((id) => id.startsWith('list-'))).toEqual(['list-a', 'list-b', 'list-c']);
  });
});
