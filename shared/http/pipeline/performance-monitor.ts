import type { Logger } from '../../telemetry/index.ts';
import type { Middleware } from '../context.ts';

export interface PerformanceOptions {
  readonly logger: Logger;
  /** Milliseconds from which a request is slow. */
  readonly slowAfter: number;
}

/** Fourth of the seven: says in `Server-Timing` how long the work took, and logs the slow ones. */
export const performanceMonitor =
  ({ logger, slowAfter }: PerformanceOptions): Middleware =>
  async (c, next) => {
    const started = performance.now();
    await next();
    const milliseconds = performance.now() - started;
    c.res.headers.set('server-timing', `app;dur=${milliseconds.toFixed(1)}`);
    if (milliseconds >= slowAfter) {
      logger.warn('Slow request.', {
        method: c.req.method,
        endpoint: c.get('endpoint'),
        status: c.res.status,
        milliseconds: Math.round(milliseconds),
      });
    }
  };
