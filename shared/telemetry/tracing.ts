import type { Attributes, Span } from '@opentelemetry/api';
import type { SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { currentContext, formatTraceparent, parseTraceparent, runWithContext, type TraceContext } from './context.ts';
import { redactFields, redactText } from './redact.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanOptions {
  readonly kind?: SpanKind;
  /** Redacted like log fields. */
  readonly attributes?: SpanAttributes;
  /** A caller in another process, from `extract`. The active span where absent. */
  readonly parent?: TraceContext | undefined;
}

/** What code inside a span can say of it. */
export interface ActiveSpan {
  set(attributes: SpanAttributes): void;
  /** Marks a failure that is answered rather than thrown, such as a 5xx response. */
  fail(message: string): void;
}

/** Where trace headers are read from: `Headers`, HTTP headers, Pub/Sub attributes, an event. */
export type TraceCarrier = Headers | Readonly<Record<string, unknown>>;

export interface Tracing {
  /**
   * Runs `work` in a span, which ends with it; what it throws is recorded and passes on. Log lines inside carry the
   * span.
   */
  withSpan<T>(name: string, options: SpanOptions, work: (span: ActiveSpan) => Promise<T> | T): Promise<T>;
  /** The W3C trace context of a caller, or undefined where it sent none or a broken one. */
  extract(carrier: TraceCarrier): TraceContext | undefined;
  /** What to send along so that the receiver's spans join this trace. Empty outside a trace. */
  inject(): { readonly traceparent?: string; readonly tracestate?: string };
  /** Sends what has ended, before the response. Takes at most `timeout` milliseconds (500) and never throws. */
  flush(timeout?: number): Promise<void>;
  shutdown(): Promise<void>;
}

export interface TracingOptions {
  readonly service: string;
  readonly version?: string;
  /** `none` makes no spans but passes a caller's trace on. `memory` is for tests. */
  readonly exporter:
    | { readonly kind: 'none' }
    | { readonly kind: 'otlp'; readonly url: string; readonly headers?: Readonly<Record<string, string>> }
    | { readonly kind: 'memory'; readonly exporter: SpanExporter };
  /** Share of new traces that are recorded, 0 to 1. A caller's decision is kept. Default 1. */
  readonly sampleRatio?: number;
  /** Told when spans are lost. */
  readonly onError?: (error: unknown) => void;
}

const defaultFlushTimeout = 500;
const exportTimeout = 5_000;

const readHeader = (carrier: TraceCarrier, name: string): string | undefined => {
  const value = carrier instanceof Headers ? carrier.get(name) : carrier[name];
  return typeof value === 'string' ? value : undefined;
};

const extract: Tracing['extract'] = (carrier) =>
  parseTraceparent(readHeader(carrier, 'traceparent'), readHeader(carrier, 'tracestate'));

const inject: Tracing['inject'] = () => {
  const { trace } = currentContext();
  if (trace === undefined) return {};
  const traceparent = formatTraceparent(trace);
  return trace.tracestate === undefined ? { traceparent } : { traceparent, tracestate: trace.tracestate };
};

const silentSpan: ActiveSpan = { set: () => undefined, fail: () => undefined };

const withoutSpans: Tracing = {
  withSpan: async (_name, { parent }, work) =>
    parent === undefined ? work(silentSpan) : runWithContext({ trace: parent }, () => work(silentSpan)),
  extract,
  inject,
  flush: async () => undefined,
  shutdown: async () => undefined,
};

const load = async (
  options: TracingOptions,
  exporterOptions: Exclude<TracingOptions['exporter'], { kind: 'none' }>,
) => {
  const [api, sdk, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
  ]);
  const exporter =
    exporterOptions.kind === 'memory'
      ? exporterOptions.exporter
      : new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter({
          url: exporterOptions.url,
          headers: { ...exporterOptions.headers },
          timeoutMillis: exportTimeout,
        });
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.service,
      ...(options.version === undefined ? {} : { 'service.version': options.version }),
    }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.sampleRatio ?? 1) }),
    spanLimits: { attributeCountLimit: 64, attributeValueLengthLimit: 1_024, eventCountLimit: 32, linkCountLimit: 8 },
    // Nothing runs between requests (the CPU is throttled), so the timer only serves long jobs; requests flush.
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, exportTimeoutMillis: exportTimeout })],
  });
  const kinds = {
    internal: api.SpanKind.INTERNAL,
    server: api.SpanKind.SERVER,
    client: api.SpanKind.CLIENT,
    producer: api.SpanKind.PRODUCER,
    consumer: api.SpanKind.CONSUMER,
  } as const satisfies Record<SpanKind, number>;
  return { api, kinds, provider, tracer: provider.getTracer('omni') };
};

type Sdk = Awaited<ReturnType<typeof load>>;

const cleanAttributes = (attributes: SpanAttributes): Attributes => {
  const clean: Attributes = {};
  for (const [key, value] of Object.entries(redactFields(attributes))) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') clean[key] = value;
  }
  return clean;
};

const recordFailure = (span: Span, api: Sdk['api'], error: unknown): void => {
  const message = redactText(error instanceof Error ? error.message : String(error));
  span.recordException(
    error instanceof Error
      ? { name: error.name, message, ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }) }
      : message,
  );
  span.setStatus({ code: api.SpanStatusCode.ERROR, message });
};

const startSpan = ({ api, kinds, tracer }: Sdk, name: string, options: SpanOptions) => {
  const parent = options.parent ?? currentContext().trace;
  const context =
    parent === undefined
      ? api.ROOT_CONTEXT
      : api.trace.setSpanContext(api.ROOT_CONTEXT, {
          traceId: parent.traceId,
          spanId: parent.spanId,
          traceFlags: parent.sampled ? api.TraceFlags.SAMPLED : api.TraceFlags.NONE,
          isRemote: options.parent !== undefined,
        });
  const kind = kinds[options.kind ?? 'internal'];
  const span = tracer.startSpan(name, { kind, attributes: cleanAttributes(options.attributes ?? {}) }, context);
  const { traceId, spanId, traceFlags } = span.spanContext();
  const trace: TraceContext = {
    traceId,
    spanId,
    sampled: (traceFlags & api.TraceFlags.SAMPLED) !== 0,
    ...(parent?.tracestate === undefined ? {} : { tracestate: parent.tracestate }),
  };
  return { span, trace };
};

const inSpan = async <T>(
  sdk: Sdk,
  name: string,
  options: SpanOptions,
  work: (span: ActiveSpan) => Promise<T> | T,
): Promise<T> => {
  const { span, trace } = startSpan(sdk, name, options);
  const active: ActiveSpan = {
    set: (attributes) => void span.setAttributes(cleanAttributes(attributes)),
    fail: (message) => void span.setStatus({ code: sdk.api.SpanStatusCode.ERROR, message: redactText(message) }),
  };
  try {
    return await runWithContext({ trace }, () => work(active));
  } catch (error) {
    recordFailure(span, sdk.api, error);
    throw error;
  } finally {
    span.end();
  }
};

/** Waits for `work` no longer than `timeout` milliseconds; its failure goes to `onError`. */
const atMost = async (timeout: number, work: Promise<void>, onError: (error: unknown) => void): Promise<void> => {
  const { promise: expired, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeout);
  await Promise.race([work.catch(onError), expired]);
  clearTimeout(timer);
};

/** The SDK (about 150 ms) is imported at the first span, and only where there is somewhere to send spans. */
export const createTracing = (options: TracingOptions): Tracing => {
  const { exporter, onError = () => undefined } = options;
  if (exporter.kind === 'none') return withoutSpans;

  let sdk: Sdk | undefined;
  let loading: Promise<void> | undefined;
  const loadOnce = (): Promise<void> => {
    loading ??= load(options, exporter).then((loaded) => {
      sdk = loaded;
    }, onError);
    return loading;
  };
  const stop = async (provider: TracerProvider): Promise<void> => {
    await provider.forceFlush({ timeoutMillis: exportTimeout });
    await provider.shutdown();
  };

  return {
    withSpan: async (name, spanOptions, work) => {
      if (sdk === undefined) await loadOnce();
      // Without its SDK the request goes on, unobserved.
      return sdk === undefined ? withoutSpans.withSpan(name, spanOptions, work) : inSpan(sdk, name, spanOptions, work);
    },
    extract,
    inject,
    flush: async (timeout = defaultFlushTimeout) => {
      if (sdk !== undefined) await atMost(timeout, sdk.provider.forceFlush({ timeoutMillis: timeout }), onError);
    },
    shutdown: async () => {
      if (sdk !== undefined) await atMost(exportTimeout, stop(sdk.provider), onError);
    },
  };
};
