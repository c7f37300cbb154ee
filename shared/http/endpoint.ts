import * as z from 'zod';
import type { Actor } from '../kernel/actor.ts';
import { requireScopes, requireStepUp } from '../kernel/actor.ts';
import type { ErrorCode, FieldIssue, StepUp } from '../kernel/errors.ts';
import { OmniError } from '../kernel/errors.ts';
import { platformTenant } from '../kernel/event.ts';
import { defaultMaxBody, parseJson, readBody } from './body.ts';
import { type HttpContext, jsonResponse } from './context.ts';
import type { Idempotency } from './idempotency.ts';
import { fieldIssues } from './problem.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/**
 * Who may call: a credential with all of these scopes (`person`: of somebody who is signed in, not a key), only our own
 * services, or anybody. `stepUp` is asked of people, not of keys: that they have proved who they are lately (RFC 9470).
 */
export type Access =
  | { readonly scopes: readonly string[]; readonly person?: true; readonly stepUp?: StepUp }
  | 'internal'
  | 'public';

/**
 * For calls that give access away, take it from somebody, lead money or mail elsewhere, or can't be undone: within 15
 * minutes, by two factors.
 */
export const sensitive: StepUp = { maxAge: 900, acr: 'aal2' };

/** The contract of one operation. The parser, the types and the OpenAPI document all come from it. */
export interface Endpoint<P, Q, B, R> {
  readonly method: Method;
  /** OpenAPI style: `/api/v1/things/{id}`. */
  readonly path: string;
  /** A few words in the imperative. */
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  /** JSON. */
  readonly body?: z.ZodType<B>;
  /** The body is not parsed: the handler takes the bytes, which a signature is over. Excludes `body`. */
  readonly rawBody?: boolean;
  /** Body or answer holds a secret, so neither is kept, nor a hash of it: a POST takes no idempotency key. */
  readonly confidential?: boolean;
  /** Bytes; 1 MiB where absent. */
  readonly maxBody?: number;
  readonly status: 200 | 201 | 202 | 204;
  /** What is sent is parsed by it, so that nothing that it doesn't name leaves. */
  readonly response?: z.ZodType<R>;
  /** The answer is a page: its handler gives the HTML as a string, and `response` is one. */
  readonly html?: true;
  /** Refusals besides those that every operation can give. */
  readonly errors?: readonly ErrorCode[];
  /** Seconds for which an answer to a GET may come from the cache, until the tenant writes to the route. */
  readonly cacheFor?: number;
}

/** What a handler gets. */
export interface Call<P, Q, B> {
  readonly actor: Actor;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly rawBody: Uint8Array<ArrayBuffer>;
  readonly c: HttpContext;
}

/** An endpoint whose types are no longer of interest. */
export type AnyEndpoint = Endpoint<unknown, unknown, unknown, unknown>;

/** An operation with its handler, ready to be mounted. */
export interface Route {
  readonly endpoint: AnyEndpoint;
  readonly serve: (c: HttpContext, idempotency: Idempotency) => Promise<Response>;
}

/** A POST that can be repeated with the same `Idempotency-Key`. */
export const isRepeatable = ({ method, rawBody, confidential }: AnyEndpoint): boolean =>
  method === 'post' && rawBody !== true && confidential !== true;

/** Only fixes the types: `endpoint({ … })` infers what a bare object literal would have to be told. */
export const endpoint = <P = undefined, Q = undefined, B = undefined, R = undefined>(
  definition: Endpoint<P, Q, B, R>,
): Endpoint<P, Q, B, R> => definition;

const anonymous: Actor = { tenant: platformTenant, kind: 'system', id: 'anonymous', scopes: new Set() };

/** The actor that may call, or the refusal. An internal route does not exist for anybody else. */
const admit = (access: Access, c: HttpContext): Actor => {
  const actor = c.get('principal')?.actor;
  if (access === 'public') return actor ?? anonymous;
  if (access === 'internal') {
    if (!c.get('internal')) throw new OmniError('not-found', 'There is nothing at this path.');
    return actor ?? anonymous;
  }
  if (actor === undefined) {
    throw new OmniError('unauthenticated', 'Send an API key or access token as `Authorization: Bearer <it>`.');
  }
  if (access.person === true && actor.kind !== 'user') {
    throw new OmniError('forbidden', 'This is for people who are signed in, not for keys.');
  }
  requireScopes(actor, access.scopes);
  if (access.stepUp !== undefined) requireStepUp(actor, access.stepUp, c.get('now'));
  return actor;
};

/** A parameter that is sent twice stays an array, which no scalar schema takes: it is refused, not guessed. */
const queryOf = (c: HttpContext): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );

const noQuery = z.strictObject({});

const bodyOf = (definition: AnyEndpoint, c: HttpContext, bytes: Uint8Array): unknown => {
  if (definition.body !== undefined) return parseJson(c, bytes);
  if (bytes.byteLength > 0) throw new OmniError('invalid-request', 'This operation takes no body.');
  return undefined;
};

/** Parses every part, and refuses with the bad fields of all of them. */
const parse = (definition: AnyEndpoint, c: HttpContext, bytes: Uint8Array) => {
  const issues: FieldIssue[] = [];
  const part = (name: string, schema: z.ZodType | undefined, input: () => unknown): unknown => {
    const result = schema?.safeParse(input());
    if (result?.success === false) issues.push(...fieldIssues(name, result.error));
    return result?.data;
  };
  const body = definition.rawBody === true ? undefined : bodyOf(definition, c, bytes);
  const parts = {
    params: part('path', definition.params, () => c.req.param()),
    query: part('query', definition.query ?? noQuery, () => queryOf(c)),
    body: part('body', definition.body, () => body),
  };
  if (issues.length > 0) throw new OmniError('invalid-request', 'Some fields are not valid.', { issues });
  return parts;
};

const respond = (definition: AnyEndpoint, c: HttpContext, value: unknown): Response => {
  if (definition.html === true) {
    return c.body(z.string().parse(value), 200, { 'content-type': 'text/html; charset=utf-8' });
  }
  return definition.response === undefined
    ? c.body(null, definition.status)
    : jsonResponse(c, definition.response.parse(value), definition.status === 204 ? 200 : definition.status);
};

/** Binds a contract to its handler, which answers with the response's value. The overload carries the types. */
export function handle<P, Q, B, R>(
  definition: Endpoint<P, Q, B, R>,
  handler: (call: Call<P, Q, B>) => Promise<R> | R,
): Route;
export function handle(definition: AnyEndpoint, handler: (call: Call<unknown, unknown, unknown>) => unknown): Route {
  return {
    endpoint: definition,
    serve: async (c, idempotency) => {
      const actor = admit(definition.access, c);
      const rawBody =
        definition.method === 'get' ? new Uint8Array(0) : await readBody(c, definition.maxBody ?? defaultMaxBody);
      const parts = parse(definition, c, rawBody);
      const run = async (by: Actor): Promise<Response> =>
        respond(definition, c, await handler({ ...parts, actor: by, rawBody, c }));
      return isRepeatable(definition) ? idempotency.once(c, actor, rawBody, run) : run(actor);
    },
  };
}
