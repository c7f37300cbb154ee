import { type Logger, runWithContext, type Tracing } from '../telemetry/index.ts';
import { dropRest } from './body.ts';
import { endpointOf, type HttpContext, type Middleware } from './context.ts';
import { secure } from './pipeline/security-headers.ts';
import { asRefusal, problemResponse, problems } from './problem.ts';

export interface ObserveOptions {
  readonly tracing: Tracing;
}

const idPattern = /^[\w.-]{8,64}$/;

/**
 * Around the whole pipeline: the request's id, its context for log lines, its span, which is sent before the response
 * leaves because the instance has no processor time afterwards.
 */
export const observe =
  ({ tracing }: ObserveOptions): Middleware =>
  async (c, next) => {
    const sent = c.req.header('x-request-id');
    const requestId = sent !== undefined && idPattern.test(sent) ? sent : crypto.randomUUID();
    c.set('requestId', requestId);
    c.set('endpoint', endpointOf(c));
    await runWithContext({ requestId }, () =>
      tracing.withSpan(
        `${c.req.method}`,
        {
          kind: 'server',
          parent: tracing.extract(c.req.raw.headers),
          attributes: { 'http.request.method': c.req.method },
        },
        async (span) => {
          await next();
          span.set({ 'http.route': c.get('endpoint'), 'http.response.status_code': c.res.status });
          if (c.res.status >= 500) span.fail(`HTTP ${c.res.status}`);
        },
      ),
    );
    c.res.headers.set('x-request-id', requestId);
    await tracing.flush();
    if (c.res.status >= 400 && c.req.method !== 'GET') await dropRest(c);
  };

/** The one place where an error becomes a response. A server's fault is logged with its cause. */
export const refuse =
  (logger: Logger) =>
  (error: Error, c: HttpContext): Response => {
    const refusal = asRefusal(error);
    const actor = c.get('principal')?.actor;
    if (refusal.code === 'forbidden' || refusal.code === 'step-up-required') {
      const { tenant, kind, id } = actor ?? {};
      logger.warn('Access refused.', {
        code: refusal.code,
        method: c.req.method,
        endpoint: c.get('endpoint'),
        tenant,
        kind,
        id,
      });
    }
    if (problems[refusal.code].status >= 500) {
      logger.error('Request failed.', {
        code: refusal.code,
        endpoint: c.get('endpoint'),
        error: refusal.cause ?? error,
      });
    }
    const response = problemResponse(refusal, c.get('requestId'));
    // Here too, because the first middleware refuses before the second has its turn.
    secure(response.headers);
    return response;
  };
