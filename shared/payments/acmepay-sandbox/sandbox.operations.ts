import type * as z from 'zod';
import { AcmeError, type SandboxAccount } from './sandbox.book.ts';
import type { Engine } from './sandbox.engine.ts';
import { captureSchema, createSchema, emptySchema, refundSchema } from './sandbox.schema.ts';

export const apiOperations = [
  'create',
  'confirm',
  'capture',
  'cancel',
  'refund',
  'retrieve',
  'find',
  'account',
  'balance',
  'events',
] as const;
export type ApiOperation = (typeof apiOperations)[number];

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Call {
  readonly account: SandboxAccount;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

export interface Operation {
  readonly name: ApiOperation;
  readonly run: (call: Call) => Answer;
}

const maxPage = 100;

export const ok = (body: unknown, status = 200): Answer => ({ status, body });

export const parse = <T>(schema: z.ZodType<T>, body: unknown): T => {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const code = issue?.message === 'unsupported_currency' ? issue.message : 'invalid_field';
  throw new AcmeError(400, 'invalid_request', code, issue?.path.join('.'));
};

const pageOf = <T>(items: readonly T[], query: URLSearchParams): Answer => {
  const start = Number(query.get('cursor') ?? 0);
  const limit = Math.min(maxPage, Number(query.get('limit') ?? maxPage));
  if (!Number.isSafeInteger(start) || start < 0 || !(limit >= 1)) {
    throw new AcmeError(400, 'invalid_request', 'invalid_cursor', 'cursor');
  }
  const next = start + limit < items.length ? String(start + limit) : null;
  return ok({ data: items.slice(start, start + limit), next_cursor: next });
};

/** The operation behind a method and path; undefined where there is none. */
export const operationOf = (engine: Engine, method: string, path: string): Operation | undefined => {
  const [, id = '', action] = /^\/v1\/payments\/([\w-]+)(?:\/(\w+))?$/.exec(path) ?? [];
  switch (`${method} ${id === '' ? path : `/v1/payments/:id${action === undefined ? '' : `/${action}`}`}`) {
    case 'POST /v1/payments':
      return { name: 'create', run: ({ account, body }) => ok(engine.create(account, parse(createSchema, body)), 201) };
    case 'GET /v1/payments':
      return {
        name: 'find',
        run: ({ account, query }) => {
          const reference = query.get('reference');
          if (reference === null) return pageOf(engine.list(account, Number(query.get('since') ?? 0)), query);
          const found = engine.findByReference(account, reference);
          return ok({ data: found === undefined ? [] : [found], next_cursor: null });
        },
      };
    case 'GET /v1/payments/:id':
      return { name: 'retrieve', run: ({ account }) => ok(engine.find(account, id)) };
    case 'POST /v1/payments/:id/confirm':
      return {
        name: 'confirm',
        run: ({ account, body }) => {
          parse(emptySchema, body);
          return ok(engine.find(account, id));
        },
      };
    case 'POST /v1/payments/:id/capture':
      return {
        name: 'capture',
        run: ({ account, body }) => ok(engine.capture(account, id, parse(captureSchema, body))),
      };
    case 'POST /v1/payments/:id/cancel':
      return {
        name: 'cancel',
        run: ({ account, body }) => {
          parse(emptySchema, body);
          return ok(engine.cancel(account, id));
        },
      };
    case 'POST /v1/payments/:id/refunds':
      return {
        name: 'refund',
        run: ({ account, body }) => {
          const { reason, ...refund } = parse(refundSchema, body);
          // A duplicate is paid back by the slow way, so that both ways can be tried.
          return ok(engine.refund(account, id, { ...refund, slow: reason === 'duplicate' }), 201);
        },
      };
    case 'GET /v1/account':
      return { name: 'account', run: ({ account: { id: own, livemode } }) => ok({ id: own, livemode }) };
    case 'GET /v1/balance':
      return {
        name: 'balance',
        run: ({ account }) => {
          const balances = [...engine.balances(account)];
          return ok({ data: balances.map(([currency, pending]) => ({ currency, available: 0, pending })) });
        },
      };
    case 'GET /v1/events':
      return { name: 'events', run: ({ account, query }) => pageOf(engine.events(account), query) };
    default:
      return undefined;
  }
};
