import { type Acr, OmniError, type StepUp } from './errors.ts';
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
  /** When a user last proved who they are; seconds since the Unix epoch. */
  readonly authTime?: number;
  /** How surely. */
  readonly acr?: Acr;
  /** The user's account has a second factor, so that `aal2` can be asked of them. */
  readonly secondFactor?: boolean;
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

/** Seconds by which the clocks of those who sign tokens and those who read them may differ. */
const tolerance = 5;

/**
 * Throws `step-up-required` unless a user has proved who they are lately, and with a second factor where they have one.
 * Keys and our own services have nobody to ask: what they may do is their scopes' to say. `now` is in milliseconds.
 */
export const requireStepUp = (actor: Actor, stepUp: StepUp, now: number): void => {
  if (actor.kind !== 'user') return;
  const { authTime = Number.NEGATIVE_INFINITY, acr = 'aal1', secondFactor = false } = actor;
  const isRecent = now / 1_000 - authTime <= stepUp.maxAge + tolerance;
  const isSure = stepUp.acr === 'aal1' || acr === 'aal2' || !secondFactor;
  if (isRecent && isSure) return;
  throw new OmniError('step-up-required', 'Prove once more who you are, by POST /api/v1/mfa/step-up.', { stepUp });
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
