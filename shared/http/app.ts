import { Hono } from 'hono';
import * as z from 'zod';
import type { Cache } from '../cache/cache.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import type { Logger, Metrics, Tracing } from '../telemetry/index.ts';
import { type Authenticate, authentication } from './authenticate.ts';
import { type HttpEnv, jsonResponse } from './context.ts';
import { crossOrigin, preflight, requireOrigin } from './cors.ts';
import { endpoint, handle, type Route } from './endpoint.ts';
import type { Idempotency } from './idempotency.ts';
import { observe, refuse } from './observe.ts';
import { type OpenApiDocument, openApiDocument } from './openapi.ts';
import { type Admission, admission, admitsAll } from './pipeline/admission.ts';
import { internalPrefix, pathWithoutPrefix, type ServiceIdentity } from './pipeline/internal-prefix.ts';
import { requestMetrics } from './pipeline/metrics.ts';
import { performanceMonitor } from './pipeline/performance-monitor.ts';
import { type RateLimiter, rateLimiter } from './pipeline/rate-limiter.ts';
import { responseCache } from './pipeline/response-cache.ts';
import { securityHeaders } from './pipeline/security-headers.ts';
import { type UsageMeter, usageTracker } from './pipeline/usage-tracker.ts';
import { problemResponse } from './problem.ts';

/** What every function's HTTP side stands on. */
export interface HttpGround {
  readonly version: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly identity: ServiceIdentity;
  readonly authenticate: Authenticate;
  /** The system's where absent. */
  readonly clock?: Clock;
  /** Admits everybody where absent. */
  readonly admission?: Admission;
  /** Entries at the end of `X-Forwarded-For` that are our own proxies'. 0 where absent. */
  readonly trustedHops?: number;
  readonly meter: UsageMeter;
  readonly limiter: RateLimiter;
  readonly cache: Cache;
  readonly idempotency: Idempotency;
  /** Runs a request: what it leaves to be done once for many is done before the last of them is answered. */
  readonly during?: <R>(work: () => Promise<R>) => Promise<R>;
  /** Throws while the function can't serve. */
  readonly ready: () => Promise<void>;
  /** Milliseconds from which a request is logged as slow. 1,000 where absent. */
  readonly slowAfter?: number;
}

export type App = Hono<HttpEnv>;

const healthz = endpoint({
  method: 'get',
  path: '/healthz',
  summary: 'Tell that the process runs',
  access: 'public',
  status: 200,
  response: z.object({ status: z.literal('ok'), version: z.string() }),
});
const readyz = endpoint({
  method: 'get',
  path: '/readyz',
  summary: 'Tell that requests can be served',
  access: 'public',
  status: 200,
  response: z.object({ status: z.literal('ready') }),
  errors: ['unavailable'],
});

const operations = ({ version, ready }: HttpGround): Route[] => [
  handle(healthz, () => ({ status: 'ok' as const, version })),
  handle(readyz, async () => {
    await ready();
    return { status: 'ready' as const };
  }),
];

const honoPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

/** The seven middlewares in the order that the scope gives, with who calls found out before the fifth needs it. */
const mountPipeline = (app: App, ground: HttpGround, routes: readonly Route[]): void => {
  const cacheFor = new Map(
    routes.flatMap(({ endpoint: { path, cacheFor: seconds } }) =>
      seconds === undefined ? [] : [[honoPath(path), seconds] as const],
    ),
  );
  const { during } = ground;
  if (during !== undefined) app.use((_, next) => during(next));
  app.use(observe(ground));
  app.use(internalPrefix(ground.identity));
  app.use(securityHeaders);
  app.use(requestMetrics(ground.metrics));
  app.use(performanceMonitor({ logger: ground.logger, slowAfter: ground.slowAfter ?? 1_000 }));
  app.use(
    preflight,
    crossOrigin,
    authentication(ground.authenticate, ground.clock ?? systemClock),
    admission(ground.admission ?? admitsAll, ground.trustedHops ?? 0),
    requireOrigin,
  );
  app.use(usageTracker(ground.meter));
  app.use(rateLimiter(ground.limiter));
  app.use(responseCache({ cache: ground.cache, cacheFor }));
};

const mountRoutes = (app: App, routes: readonly Route[], idempotency: Idempotency): void => {
  const methods = new Map<string, string[]>();
  for (const { endpoint: contract, serve } of routes) {
    const path = honoPath(contract.path);
    const method = contract.method.toUpperCase();
    methods.set(path, [...(methods.get(path) ?? []), method, ...(method === 'GET' ? ['HEAD'] : [])]);
    app.on(method, path, (c) => serve(c, idempotency));
  }
  // After the routes: what gets here has a known path and another method.
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      const refusal = new OmniError('method-not-allowed', `This path takes ${allowed.join(', ')}.`);
      const response = problemResponse(refusal, c.get('requestId'));
      response.headers.set('allow', allowed.join(', '));
      return response;
    });
  }
};

/** The HTTP side of one function: the pipeline, its routes, health, metrics and its OpenAPI document. */
export const createApp = (name: string, routes: readonly Route[], ground: HttpGround): App => {
  const app: App = new Hono<HttpEnv>({ getPath: pathWithoutPrefix });
  const all = [...routes, ...operations(ground)];
  app.onError(refuse(ground.logger));
  app.notFound((c) => refuse(ground.logger)(new OmniError('not-found', 'There is nothing at this path.'), c));
  mountPipeline(app, ground, all);
  mountRoutes(app, all, ground.idempotency);
  let document: OpenApiDocument | undefined;
  app.get('/openapi.json', (c) => {
    document ??= openApiDocument({ title: `Omni ${name}`, version: ground.version }, all);
    return jsonResponse(c, document, 200);
  });
  app.get('/metrics', async (c) => {
    if (!c.get('internal')) throw new OmniError('not-found', 'There is nothing at this path.');
    const { contentType, body } = await ground.metrics.render();
    return c.body(body, 200, { 'content-type': contentType });
  });
  return app;
};
