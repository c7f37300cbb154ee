import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

describe('metrics', () => {
  it('counts and times requests by route pattern', async () => {
    const metrics = createMetrics({ service: 'ai' });
    metrics.request({ method: 'GET', endpoint: '/v1/predictions/{id}', status: 200, seconds: 0.02 });
    metrics.request({ method: 'GET', endpoint: '/v1/predictions/{id}', status: 200, seconds: 0.7 });
    metrics.request({ method: 'GET', endpoint: '/v1/predictions/{id}', status: 404, seconds: 0.001 });
    const { contentType, body } = await metrics.render();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain(
      'http_requests_total{method="GET",endpoint="/v1/predictions/{id}",status="200",service="ai"} 2',
    );
    expect(body).toContain('status="404",service="ai"} 1');
    expect(body).toMatch(/http_request_duration_seconds_bucket\{le="0\.025",.*\} 2/);
    expect(body).toMatch(/http_request_duration_seconds_count\{.*\} 3/);
  });

  it('takes counters and histograms of the domains', async () => {
    const metrics = createMetrics({ service: 'ai' });
    const predictions = metrics.counter('ml_predictions_total', 'Predictions.', ['model', 'outcome']);
    predictions.add({ model: 'churn', outcome: 'stored' });
    metrics
      .counter('ml_predictions_total', 'Predictions.', ['model', 'outcome'])
      .add({ model: 'churn', outcome: 'stored' }, 4);
    metrics.histogram('batch_size', 'Customers a call.', ['model'], [1, 10, 100]).observe({ model: 'churn' }, 7);
    const { body } = await metrics.render();
    expect(body).toContain('ml_predictions_total{model="churn",outcome="stored",service="ai"} 5');
    expect(body).toMatch(/batch_size_bucket\{le="10",.*model="churn".*\} 1/);
  });

  it('refuses one name with two sets of labels', () => {
    const metrics = createMetrics({ service: 'ai' });
    metrics.counter('x_total', 'X.', ['a']);
    expect(() => metrics.counter('x_total', 'X.', ['b'])).toThrow(/exists with the labels a/);
  });

  it('keeps its size when a label takes ids by mistake', async () => {
    const metrics = createMetrics({ service: 'ai' });
    const counter = metrics.counter('x_total', 'X.', ['id']);
    for (let i = 0; i < 10_000; i += 1) counter.add({ id: `id_${i}` });
    const { body } = await metrics.render();
    expect(body.split('\n').length).toBeLessThan(2_100);
    expect(body).toContain('x_total{id="other",service="ai"} 8000');
  });

  it('has a registry of its own', async () => {
    createMetrics({ service: 'a' }).counter('x_total', 'X.', []).add({});
    expect((await createMetrics({ service: 'b' }).render()).body).not.toContain('x_total');
  });

  it('tells of the process where asked', async () => {
    expect((await createMetrics({ service: 'a', processMetrics: true }).render()).body).toContain('nodejs_heap');
  });
});
