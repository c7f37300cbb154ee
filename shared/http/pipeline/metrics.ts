import type { Metrics } from '../../telemetry/index.ts';
import type { Middleware } from '../context.ts';

/** Third of the seven: `http_requests_total` and `http_request_duration_seconds`. */
export const requestMetrics =
  (metrics: Metrics): Middleware =>
  async (c, next) => {
    const started = performance.now();
    await next();
    metrics.request({
      method: c.req.method,
      endpoint: c.get('endpoint'),
      status: c.res.status,
      seconds: (performance.now() - started) / 1000,
    });
  };
