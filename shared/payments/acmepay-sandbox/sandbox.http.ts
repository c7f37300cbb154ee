import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Clock } from '../../kernel/clock.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import { type AdminOptions, type ApiFault, administer } from './sandbox.admin.ts';
import { AcmeError, type SandboxAccount } from './sandbox.book.ts';
import {
  type Answer,
  type ApiOperation,
  type Call,
  type Operation,
  ok,
  operationOf,
  parse,
} from './sandbox.operations.ts';
import { payerPage } from './sandbox.pages.ts';
import { cardNamed, cardSchema } from './sandbox.schema.ts';

export interface HandlerOptions extends AdminOptions {
  readonly requests: string[];
  readonly adminToken: string;
  readonly clock: Clock;
}

/** Seconds for which a key is known. */
const keyLifetime = 86_400;

const bearerOf = ({ headers }: IncomingMessage): string => (headers.authorization ?? '').replace(/^Bearer /, '');

const jsonOf = (raw: string): unknown => {
  if (raw === '') return {};
  try {
    return JSON.parse(raw);
  } catch {
    throw new AcmeError(400, 'invalid_request', 'malformed_json');
  }
};

const errorOf = (error: unknown): Answer => {
  if (!(error instanceof AcmeError)) return { status: 500, body: { error: { type: 'api', code: 'internal' } } };
  const { status, type, code, param } = error;
  return { status, body: { error: { type, code, ...(param === undefined ? {} : { param }) } } };
};

export const createHandler = (options: HandlerOptions) => {
  const { engine, accounts, faults, requests, adminToken, clock } = options;
  const known = new Map<string, { readonly hash: string; readonly answer: Answer; readonly until: number }>();

  const faultFor = (name: ApiOperation): ApiFault | undefined => {
    const index = faults.findIndex(({ on }) => on === '*' || on === name);
    return index === -1 ? undefined : faults.splice(index, 1)[0];
  };

  /** A key makes a second request with it answer as the first did, refusals too, as long as it is the same request. */
  const once = (account: SandboxAccount, key: string, request: unknown, run: () => Answer): Answer => {
    const [id, hash] = [`${account.id}:${key}`, sha256(canonicalJson(request))];
    const before = known.get(id);
    if (before !== undefined && before.until > clock.now()) {
      if (before.hash !== hash) throw new AcmeError(409, 'idempotency', 'key_reused');
      return before.answer;
    }
    let answer: Answer;
    try {
      answer = run();
    } catch (error) {
      answer = errorOf(error);
    }
    if (answer.status < 500) known.set(id, { hash, answer, until: clock.now() + keyLifetime * 1_000 });
    return answer;
  };

  const tokenise = (authorization: string, body: unknown): Answer => {
    const { number } = parse(cardSchema, body);
    const account = accounts.get(authorization);
    if (account === undefined) throw new AcmeError(401, 'authentication', 'invalid_key');
    const card = cardNamed(number);
    if (card === undefined) throw new AcmeError(400, 'invalid_request', 'not_a_test_card', 'number');
    return ok({ id: engine.tokenise(card), last4: number.slice(-4) }, 201);
  };

  const send = (response: ServerResponse, { status, body }: Answer, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

  const authenticated = (bearer: string): SandboxAccount => {
    const account = accounts.get(bearer);
    if (account === undefined) throw new AcmeError(401, 'authentication', 'invalid_key');
    if (account.secretKey !== bearer) throw new AcmeError(403, 'authentication', 'secret_key_needed');
    return account;
  };

  const answerOf = (request: IncomingMessage, operation: Operation, call: Call, path: string): Answer => {
    const run = () => operation.run(call);
    if (request.method !== 'POST') return run();
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string' || key.length > 255) {
      throw new AcmeError(400, 'invalid_request', 'idempotency_key_needed');
    }
    return once(call.account, key, [path, call.body], run);
  };

  const serveApi = (request: IncomingMessage, response: ServerResponse, url: URL, raw: string): void => {
    const operation = operationOf(engine, request.method ?? 'GET', url.pathname);
    if (operation === undefined) throw new AcmeError(404, 'not_found', 'no_such_path');
    const account = authenticated(bearerOf(request));
    const fault = faultFor(operation.name);
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'fail') throw new AcmeError(500, 'api', 'internal');
    if (fault?.kind === 'rate-limit') {
      const body = { error: { type: 'rate_limit', code: 'too_many_requests' } };
      send(response, { status: 429, body }, { 'retry-after': String(fault.retryAfter ?? 1) });
      return;
    }
    const body = request.method === 'POST' ? jsonOf(raw) : {};
    const answer = answerOf(request, operation, { account, query: url.searchParams, body }, url.pathname);
    if (fault?.kind === 'stall-after') return;
    if (fault?.kind === 'lose-answer') request.socket.destroy();
    else if (fault?.kind === 'nonsense') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    else send(response, answer);
  };

  const servePage = (request: IncomingMessage, response: ServerResponse, id: string, raw: string): void => {
    const form = new URLSearchParams(raw);
    if (request.method === 'POST') {
      const action = form.get('action');
      const card = cardNamed((form.get('card') ?? '').replaceAll(' ', ''));
      if (action === 'approve' || action === 'deny') engine.act(id, action);
      else if (card !== undefined) engine.act(id, { card });
    }
    const payment = engine.page(id);
    if (payment === undefined) throw new AcmeError(404, 'not_found', 'no_such_payment');
    if (request.method === 'POST' && payment.status !== 'requires_action' && payment.return_url !== null) {
      const back = new URL(payment.return_url);
      back.searchParams.set('payment', payment.reference);
      response.writeHead(303, { location: back.href }).end();
    } else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(payerPage(payment));
  };

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const bearer = bearerOf(request);
    requests.push(`${request.method} ${url.pathname}`);
    try {
      const raw = await text(request);
      const [, page] = /^\/pay\/([\w-]+)$/.exec(url.pathname) ?? [];
      if (page !== undefined) servePage(request, response, page, raw);
      else if (request.method === 'POST' && url.pathname === '/v1/payment_methods') {
        send(response, tokenise(bearer, jsonOf(raw)));
      } else if (url.pathname.startsWith('/sandbox/')) {
        if (bearer !== adminToken || request.method !== 'POST') throw new AcmeError(404, 'not_found', 'no_such_path');
        send(response, await administer(options, url.pathname, jsonOf(raw)));
      } else serveApi(request, response, url, raw);
    } catch (error) {
      send(response, errorOf(error));
    }
  };
};
