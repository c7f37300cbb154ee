import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { auditingOn, temporaryFolder } from '#tests/support/auditing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../kernel/clock.ts';
import { platformCollection, tenantCollection } from '../store/collection.ts';
import { embeddedDatabase } from '../store/embedded.ts';
import { defineEraser } from './define-eraser.ts';

const notes = tenantCollection({
  name: 'notes',
  schema: z.object({ text: z.string(), expiresAt: z.string() }),
  ttl: 'expiresAt',
});
const addresses = platformCollection({ name: 'addresses', schema: z.object({ tenant: z.string() }) });
const eraser = defineEraser({
  domain: 'notes',
  collections: [notes, addresses],
  reservations: true,
  blobPrefixes: ['notes/'],
});

describe.each([
  ['the embedded store', (now: () => number) => embeddedDatabase({ now })],
  ['Firestore', (now: () => number) => testDatabase({ now })],
])('an eraser on %s', (_name, open) => {
  it('empties the places of one tenant, of what has expired too, and no other place', async () => {
    const clock = manualClock();
    const database = open(clock.now);
    const { blobs } = auditingOn(database, await temporaryFolder());
    const expiresAt = '2026-01-02T00:00:00.000Z';
    for (const tenant of ['acme', 'rival']) {
      for (let i = 0; i < 5; i += 1) await database.tenants(notes).of(tenant).create(`n${i}`, { text: 'x', expiresAt });
      await database.platform(addresses).create(`of-${tenant}`, { tenant });
      await database.transaction((transaction) => transaction.reserve(tenant, 'email', 'a@b.example', 'usr_1'));
      for (const key of ['notes/1', 'other/1']) await blobs.of(tenant).put(key, 'x', { contentType: 'text/plain' });
    }
    clock.advance(86_400_000);
    expect(await eraser.sweep({ database, blobs, clock }, 'acme')).toBe(true);
    for (const { key } of (await blobs.of('acme').list({ prefix: 'notes/', limit: 10 })).items) {
      await blobs.of('acme').delete(key);
    }
    expect(await eraser.sweep({ database, blobs, clock }, 'acme')).toBe(false);
    clock.set(Date.parse('2026-01-01T00:00:00.000Z'));
    const left = async (tenant: string) => [
      (await database.tenants(notes).of(tenant).query({ limit: 10 })).items.length,
      (await database.platform(addresses).get(`of-${tenant}`)) === undefined ? 0 : 1,
      (await database.ownerOf(tenant, 'email', 'a@b.example')) === undefined ? 0 : 1,
      (await blobs.of(tenant).list({ prefix: '', limit: 10 })).items.length,
    ];
    expect(await left('acme')).toEqual([0, 0, 0, 1]);
    expect(await left('rival')).toEqual([5, 1, 1, 2]);
  });
});
