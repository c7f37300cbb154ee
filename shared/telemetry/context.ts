import { AsyncLocalStorage } from 'node:async_hooks';

/** The W3C trace context of a span, ours or a caller's (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** Vendors' own part, passed on as it came. */
  readonly tracestate?: string;
}

/** What every log line of one request or job carries. */
export interface RequestContext {
  readonly tenant?: string;
  readonly requestId?: string;
  /** The active span. Set by the tracer. */
  readonly trace?: TraceContext;
}

const storage = new AsyncLocalStorage<RequestContext>();
const empty: RequestContext = {};

export const currentContext = (): RequestContext => storage.getStore() ?? empty;

/** Runs `work` with these fields added to the context around it. */
export const runWithContext = <T>(context: RequestContext, work: () => T): T =>
  storage.run({ ...currentContext(), ...context }, work);

const traceparentPattern = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;
const maxTracestateLength = 512;

/** Undefined for anything that is not a valid `traceparent`: a broken one starts a new trace, as the standard says. */
export const parseTraceparent = (traceparent: string | undefined, tracestate?: string): TraceContext | undefined => {
  if (traceparent === undefined || traceparent.length > 128) return undefined;
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Version 00 ends after the flags; only later versions may go on.
  if (traceparent.startsWith('00') && traceparent.length !== 55) return undefined;
  return {
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    ...(tracestate === undefined || tracestate === '' || tracestate.length > maxTracestateLength ? {} : { tracestate }),
  };
};

export const formatTraceparent = (trace: TraceContext): string =>
  `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
