import { describe, expect, it } from 'vitest';
import { type Actor, hasScope, idsFor, requireScopes, systemActor } from './actor.ts';
import { sequentialIds } from './ids.ts';

const actorWith = (...scopes: string[]): Actor => ({
  tenant: 'acme',
  kind: 'key',
  id: 'key_1',
  scopes: new Set(scopes),
});

describe('a scope', () => {
  it.each([
    ['ai:read', 'ai:read', true],
    ['ai:*', 'ai:read', true],
    ['*', 'ai:read', true],
    ['ai:write', 'ai:read', false],
    ['ai', 'ai:read', false],
    ['ai:', 'ai:read', false],
    ['ai:rea', 'ai:read', false],
    ['a:*', 'ai:read', false],
    ['AI:READ', 'ai:read', false],
    ['*:read', 'ai:read', false],
    ['', 'ai:read', false],
  ])('"%s" grants "%s": %s', (held, asked, granted) => {
    expect(hasScope(actorWith(held), asked)).toBe(granted);
  });

  it('is granted to background work, whatever it is', () => {
    expect(hasScope(systemActor('acme', 'job'), 'anything:at-all')).toBe(true);
  });

  it('that is missing is named, and those that are held are not', () => {
    const ask =
      (...scopes: string[]) =>
      () =>
        requireScopes(actorWith('ai:read', 'billing:*'), scopes);
    expect(ask('ai:read', 'billing:write')).not.toThrow();
    expect(ask('ai:read', 'ai:write', 'hr:read')).toThrow('lacks the scope ai:write, hr:read.');
    expect(ask('ai:write')).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('ids for one request', () => {
  const ids = (actor: Actor) => {
    const next = idsFor(actor, sequentialIds());
    return [next('a'), next('a'), next('b')];
  };
  const keyed = { ...actorWith(), idempotencyKey: 'k' };

  it('are new without an idempotency key', () => {
    expect(ids(actorWith())).toEqual(['a_1', 'a_2', 'b_3']);
  });

  it('are the same on every attempt with one, and all different', () => {
    expect(ids(keyed)).toEqual(ids(keyed));
    expect(new Set(ids(keyed)).size).toBe(3);
  });

  it.each([{ tenant: 'other' }, { id: 'key_2' }, { idempotencyKey: 'l' }])('are others for %j', (change) => {
    expect(ids({ ...keyed, ...change }).filter((id) => ids(keyed).includes(id))).toEqual([]);
  });
});
