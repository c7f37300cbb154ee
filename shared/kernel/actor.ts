import { OmniError } from './errors.ts';
import { derivedId, type NewId } from './ids.ts';

/** Who asks: always in one tenant, always with a known set of scopes. The first argument of every service call. */
export interface Actor {
  readonly tenant: string;
  readonly kind: 'user' | 'key' | 'system';
  /** Id of the user or key; the job's name for the system. */
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
  /** The session in which a user asks. */
  readonly session?: string;
  /** The request's idempotency key, from which ids of what it makes are derived. */
  readonly idempotencyKey?: string;
}

/** What a credential stands for, with what its tenant's settings say of requests. */
export interface Principal {
  readonly actor: Actor;
  /** Requests a minute; of the tenant over all its keys, and of this key. */
  readonly limits: { readonly tenant: number; readonly key: number };
  /** Origins from which browsers may call: `https://app.example.com`. */
  readonly corsOrigins: readonly string[];
}

/** The actor of background work in one tenant. It may do everything there. */
export const systemActor = (tenant: string, id: string): Actor => ({
  tenant,
  kind: 'system',
  id,
  scopes: new Set(['*']),
});

/** `ai:write` is granted by itself, by `ai:*` and by `*`. */
export const hasScope = (actor: Actor, scope: string): boolean =>
  actor.scopes.has(scope) || actor.scopes.has('*') || actor.scopes.has(`${scope.split(':')[0]}:*`);

/** Throws `forbidden` unless the actor holds every scope. */
export const requireScopes = (actor: Actor, scopes: readonly string[]): void => {
  const missing = scopes.filter((scope) => !hasScope(actor, scope));
  if (missing.length > 0) throw new OmniError('forbidden', `This credential lacks the scope ${missing.join(', ')}.`);
};

/**
 * Ids for what one request makes. With an idempotency key the nth id of a prefix is the same on every attempt, so a
 * retry after a crash between commit and response finds its own work by `already-exists` and does not repeat it.
 */
export const idsFor = (actor: Actor, newId: NewId): NewId => {
  const { idempotencyKey } = actor;
  if (idempotencyKey === undefined) return newId;
  let ordinal = 0;
  return (prefix) => {
    ordinal += 1;
    return derivedId(prefix, actor.tenant, actor.id, idempotencyKey, String(ordinal));
  };
};
