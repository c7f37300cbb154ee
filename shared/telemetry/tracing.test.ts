import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { currentContext, runWithContext } from './context.ts';
import { createTracing, type Tracing } from './tracing.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;

/** The part of an OTLP/HTTP export request (https://opentelemetry.io/docs/specs/otlp/) that the tests look at. */
const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const exportRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string().regex(/^[\da-f]{32}$/),
              spanId: z.string().regex(/^[\da-f]{16}$/),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: z.array(attribute),
              events: z.array(z.object({ name: z.string(), attributes: z.array(attribute) })),
              status: z.object({ code: z.number(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});
type ReceivedSpan = z.infer<typeof exportRequest>['resourceSpans'][number]['scopeSpans'][number]['spans'][number];

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const receiver = async (answer: 'accept' | 'hang' | 'fail' = 'accept') => {
  const spans: ReceivedSpan[] = [];
  const resources: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    if (answer === 'hang') return;
    if (answer === 'fail') {
      response.writeHead(400).end();
      return;
    }
    expect(`${request.method} ${request.url} ${request.headers['content-type']}`).toBe(
      'POST /v1/traces application/json',
    );
    for (const { resource, scopeSpans } of exportRequest.parse(JSON.parse(body.toString())).resourceSpans) {
      resources.push(JSON.stringify(resource.attributes));
      for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1/traces`;
  return { spans, resources, url, byName: (name: string) => spans.find((span) => span.name === name) };
};

const tracingTo = (
  url: string,
  options: { sampleRatio?: number; onError?: (error: unknown) => void } = {},
): Tracing => {
  const tracing = createTracing({ service: 'ai', version: '1', exporter: { kind: 'otlp', url }, ...options });
  cleanups.push(() => tracing.shutdown());
  return tracing;
};

describe('tracing to a collector', () => {
  it('sends spans with their parents, kinds and attributes, joined to the caller', async () => {
    const { resources, url, byName } = await receiver();
    const tracing = tracingTo(url);
    const parent = tracing.extract(new Headers({ traceparent, tracestate: 'vendor=1' }));
    const result = await tracing.withSpan('GET /v1/x', { kind: 'server', parent }, async (span) => {
      span.set({ 'http.response.status_code': 200, 'user.email': 'ada@example.com' });
      return tracing.withSpan('store.get', { kind: 'client', attributes: { collection: 'x' } }, () => 'value');
    });
    await tracing.flush();
    expect(result).toBe('value');
    const server = byName('GET /v1/x');
    const client = byName('store.get');
    expect(server).toMatchObject({ traceId, parentSpanId: spanId, kind: 2 });
    expect(client).toMatchObject({ traceId, parentSpanId: server?.spanId, kind: 3 });
    expect(JSON.stringify(server?.attributes)).toContain('"intValue":200');
    expect(JSON.stringify(server)).not.toContain('ada@');
    expect(resources[0]).toContain('"service.name"');
    expect(resources[0]).toContain('"ai"');
  });

  it('hands its own span on, over HTTP headers, Pub/Sub attributes and events alike', async () => {
    const { url, byName } = await receiver();
    const tracing = tracingTo(url);
    const carried = await tracing.withSpan('publish', { kind: 'producer' }, () => tracing.inject());
    await tracing.withSpan('job', { kind: 'consumer', parent: tracing.extract(carried) }, () => undefined);
    await tracing.flush();
    expect(carried.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/);
    expect(byName('job')).toMatchObject({
      traceId: byName('publish')?.traceId,
      parentSpanId: byName('publish')?.spanId,
    });
  });

  it('keeps concurrent requests apart and makes the span the context of what runs inside', async () => {
    const { spans, url } = await receiver();
    const tracing = tracingTo(url);
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        runWithContext({ tenant: `t${i}` }, () =>
          tracing.withSpan(`outer ${i}`, {}, async () => {
            await new Promise((resolve) => setImmediate(resolve));
            await tracing.withSpan(`inner ${i}`, {}, () => expect(currentContext().tenant).toBe(`t${i}`));
          }),
        ),
      ),
    );
    expect(currentContext().trace).toBeUndefined();
    await tracing.flush();
    expect(spans).toHaveLength(40);
    for (let i = 0; i < 20; i += 1) {
      const outer = spans.find((span) => span.name === `outer ${i}`);
      const inner = spans.find((span) => span.name === `inner ${i}`);
      expect(inner).toMatchObject({ traceId: outer?.traceId, parentSpanId: outer?.spanId });
    }
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(20);
  });

  it('records what is thrown, redacted, and passes it on', async () => {
    const { url, byName } = await receiver();
    const tracing = tracingTo(url);
    const failure = new TypeError('no user ada@example.com');
    await expect(
      tracing.withSpan('boom', {}, () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await tracing.withSpan('answered', {}, (span) => span.fail('500'));
    await tracing.flush();
    const span = byName('boom');
    expect(span?.status).toEqual({ code: 2, message: 'no user [redacted]' });
    expect(span?.events[0]?.name).toBe('exception');
    expect(JSON.stringify(span)).toContain('TypeError');
    expect(JSON.stringify(span)).not.toContain('ada@');
    expect(byName('answered')?.status.code).toBe(2);
  });

  it('follows the decision of the caller, and samples new traces by ratio', async () => {
    const { spans, url } = await receiver();
    const tracing = tracingTo(url, { sampleRatio: 0 });
    const unsampled = tracing.extract({ traceparent: `00-${traceId}-${spanId}-00` });
    const carried = await tracing.withSpan('unsampled', { parent: unsampled }, () => tracing.inject());
    await tracing.withSpan('new', {}, () => undefined);
    await tracing.withSpan('sampled', { parent: tracing.extract({ traceparent }) }, () => undefined);
    await tracing.flush();
    expect(carried.traceparent).toMatch(new RegExp(`^00-${traceId}-[\\da-f]{16}-00$`));
    expect(spans.map((span) => span.name)).toEqual(['sampled']);
  });

  it('flushes within its time when the collector hangs', async () => {
    const { url } = await receiver('hang');
    const tracing = createTracing({ service: 'ai', exporter: { kind: 'otlp', url } });
    await tracing.withSpan('x', {}, () => undefined);
    const started = performance.now();
    await tracing.flush(100);
    expect(performance.now() - started).toBeLessThan(400);
  });

  it('does not fail the request when the collector fails', async () => {
    const { url } = await receiver('fail');
    const errors: unknown[] = [];
    const tracing = tracingTo(url, { onError: (error) => errors.push(error) });
    expect(await tracing.withSpan('x', {}, () => 1)).toBe(1);
    await expect(tracing.flush()).resolves.toBeUndefined();
    expect(errors).toHaveLength(1);
  });
});

describe('tracing to a test', () => {
  it('puts spans where the test reads them', async () => {
    const { InMemorySpanExporter } = await import('@opentelemetry/sdk-trace');
    const exporter = new InMemorySpanExporter();
    const tracing = createTracing({ service: 'ai', exporter: { kind: 'memory', exporter } });
    await tracing.withSpan('x', {}, () => undefined);
    await tracing.flush();
    expect(exporter.getFinishedSpans().map((span) => span.name)).toEqual(['x']);
  });
});

describe('without tracing', () => {
  const tracing = createTracing({ service: 'ai', exporter: { kind: 'none' } });

  it("still passes a caller's trace on, and to the log", async () => {
    const parent = tracing.extract({ traceparent, tracestate: 'vendor=1' });
    const carried = await tracing.withSpan('x', { parent }, () => {
      expect(currentContext().trace?.traceId).toBe(traceId);
      return tracing.withSpan('y', {}, () => tracing.inject());
    });
    expect(carried).toEqual({ traceparent, tracestate: 'vendor=1' });
    expect(tracing.inject()).toEqual({});
  });

  it('costs next to nothing', async () => {
    const calls = 100_000;
    const started = performance.now();
    for (let i = 0; i < calls; i += 1) await tracing.withSpan('x', {}, () => i);
    expect((performance.now() - started) / calls).toBeLessThan(0.01);
    await tracing.flush();
    await tracing.shutdown();
  });
});
