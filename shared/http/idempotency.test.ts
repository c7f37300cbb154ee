import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { idsFor } from '../kernel/actor.ts';
import { sequentialIds } from '../kernel/ids.ts';
import { tenantCollection } from '../store/collection.ts';
import { createApp } from './app.ts';
import { endpoint, handle } from './endpoint.ts';

const thing = z.object({ id: z.string(), name: z.string() });
const things = tenantCollection({ name: 'things', schema: thing });
const create = endpoint({
  method: 'post',
  path: '/api/v1/things',
  summary: 'Make a thing',
  access: { scopes: ['things:write'] },
  body: z.strictObject({ name: z.string() }),
  status: 201,
  response: thing,
});

describe.each(['embedded', 'firestore'] as const)('an idempotency key on the %s store', async (database) => {
  const runtime = await testRuntime({ database });
  const store = runtime.database.tenants(things);
  let runs = 0;
  const make = handle(create, async ({ actor, body }) => {
    runs += 1;
    const made = { id: idsFor(actor, sequentialIds())('thing'), name: body.name };
    await store.of(actor.tenant).create(made.id, made);
    return made;
  });
  const app = createApp('things', [make], runtime.http);
  const key = await runtime.key('acme', ['things:write']);
  const post = (name: string, idempotencyKey: string) =>
    request(app, '/api/v1/things', { key, body: { name }, headers: { 'idempotency-key': idempotencyKey } });
  const stored = async () => (await store.of('acme').query({ limit: 100 })).items.length;

  it('has one of twenty at once run, and the others wait for it', async () => {
    const [runsBefore, storedBefore] = [runs, await stored()];
    const all = await Promise.all(Array.from({ length: 20 }, () => post('one', 'race')));
    const statuses = all.map(({ status }) => status);
    expect(statuses.filter((status) => ![201, 409].includes(status))).toEqual([]);
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThanOrEqual(1);
    expect(all.filter(({ status }) => status === 409).every(({ headers }) => headers.get('retry-after') === '1')).toBe(
      true,
    );
    expect([runs, await stored()]).toEqual([runsBefore + 1, storedBefore + 1]);
  });

  it('gives all repetitions the first answer, byte by byte', async () => {
    const first = await (await post('two', 'again')).text();
    const [runsBefore, storedBefore] = [runs, await stored()];
    const all = await Promise.all(Array.from({ length: 5 }, () => post('two', 'again')));
    expect(await Promise.all(all.map((response) => response.text()))).toEqual(Array.from({ length: 5 }, () => first));
    expect(all.every(({ headers }) => headers.get('idempotency-replayed') === 'true')).toBe(true);
    expect([runs, await stored()]).toEqual([runsBefore, storedBefore]);
  });

  it('is of one body', async () => {
    await post('three', 'one-body');
    expect((await post('four', 'one-body')).status).toBe(422);
  });
});
