import type { Writable } from 'node:stream';
import winston from 'winston';
import { currentContext } from './context.ts';
import { redactFields, redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Every line is redacted, and carries tenant, request id and active span by itself. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** An Error goes into `fields.error`: Cloud Error Reporting then groups it by its stack. */
  error(message: string, fields?: LogFields): void;
  /** The same logger with fields on every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly service: string;
  readonly version: string;
  /** `cloud` is Cloud Logging's structured JSON, `terminal` plain JSON lines. */
  readonly format: 'cloud' | 'terminal';
  /** Needed in the cloud to join lines with their trace. */
  readonly projectId?: string;
  readonly now?: () => number;
  /** Standard output where absent. */
  readonly stream?: Writable;
}

export interface RootLogger extends Logger {
  /**
   * Hands over to `@google-cloud/logging-winston`, which takes about 400 ms to import: call it after listening. Until
   * then, and for ever in a terminal, lines of the same shape go to standard output, so none is lost or different.
   */
  attachCloudTransport(): Promise<void>;
}

type Write = (level: LogLevel, message: string, fields: Record<string, unknown>) => void;

const severities = { debug: 0, info: 1, warn: 2, error: 3 } as const satisfies Record<LogLevel, number>;
const cloudSeverities = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' } as const satisfies Record<
  LogLevel,
  string
>;

const isLogLevel = (level: string): level is LogLevel => level in severities;

const loggerOver = (write: Write, level: LogLevel, base: Record<string, unknown>): Logger => {
  const at =
    (lineLevel: LogLevel): Logger['info'] =>
    (message, fields) => {
      if (severities[lineLevel] < severities[level]) return;
      write(lineLevel, redactText(message), fields === undefined ? base : { ...base, ...redactFields(fields) });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => loggerOver(write, level, { ...base, ...redactFields(fields) }),
  };
};

/** What a line says of where it comes from. Set last, so that a field can't pass itself off as another tenant's. */
const origin = (): Record<string, unknown> => {
  const { tenant, requestId } = currentContext();
  return { ...(tenant === undefined ? {} : { tenant }), ...(requestId === undefined ? {} : { requestId }) };
};

const terminalWrite =
  (sink: winston.Logger, options: LoggerOptions, now: () => number): Write =>
  (level, message, fields) => {
    const { trace } = currentContext();
    const line = {
      time: new Date(now()).toISOString(),
      level,
      message,
      service: options.service,
      version: options.version,
      ...origin(),
      ...(trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId }),
    };
    sink.log(Object.assign({ time: '', level, message: '' }, fields, line));
  };

/** Keys that logging-winston takes out of a line and puts into the entry's own fields. */
const traceKey = 'logging.googleapis.com/trace';
const spanKey = 'logging.googleapis.com/spanId';
const sampledKey = 'logging.googleapis.com/trace_sampled';

const stackOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'stack' in error && typeof error.stack === 'string'
    ? error.stack
    : undefined;

const cloudWrite =
  (sink: winston.Logger, options: LoggerOptions, now: () => number): Write =>
  (level, message, fields) => {
    const { trace } = currentContext();
    const stack = level === 'error' ? stackOf(fields.error) : undefined;
    sink.log({
      ...fields,
      service: options.service,
      version: options.version,
      ...origin(),
      ...(trace === undefined
        ? {}
        : {
            [traceKey]:
              options.projectId === undefined ? trace.traceId : `projects/${options.projectId}/traces/${trace.traceId}`,
            [spanKey]: trace.spanId,
            [sampledKey]: trace.sampled,
          }),
      ...(stack === undefined ? {} : { stack }),
      timestamp: new Date(now()),
      level,
      message,
    });
  };

/** The shape that logging-winston gives a line in its `redirectToStdout` mode. */
const cloudLine = (info: winston.Logform.TransformableInfo, service: string, version: string): string => {
  const { level, message, timestamp, [traceKey]: trace, [spanKey]: spanId, [sampledKey]: sampled, ...metadata } = info;
  const stack = typeof metadata.stack === 'string' ? metadata.stack : undefined;
  const at = timestamp instanceof Date ? timestamp.getTime() : Date.now();
  return JSON.stringify({
    severity: isLogLevel(level) ? cloudSeverities[level] : 'DEFAULT',
    message: stack === undefined ? message : `${message} ${stack}`,
    ...(stack === undefined ? {} : { serviceContext: { service, version } }),
    metadata,
    timestamp: { seconds: Math.floor(at / 1_000), nanos: (at % 1_000) * 1_000_000 },
    ...(trace === undefined ? {} : { [traceKey]: trace, [spanKey]: spanId, [sampledKey]: sampled }),
  });
};

export const createLogger = (options: LoggerOptions): RootLogger => {
  const { format, level, service, version } = options;
  const now = options.now ?? Date.now;
  const inCloud = format === 'cloud';
  const stdout = new winston.transports.Stream({ stream: options.stream ?? process.stdout });
  const sink = winston.createLogger({
    level,
    transports: [stdout],
    format: winston.format.printf(
      inCloud ? (info) => cloudLine(info, service, version) : (info) => JSON.stringify(info),
    ),
  });

  let attaching: Promise<void> | undefined;
  const attach = async (): Promise<void> => {
    const { LoggingWinston } = await import('@google-cloud/logging-winston');
    // Straight to the API, lines would be lost: on Cloud Run the CPU stops with the response. Standard output is
    // collected by the platform's own agent, which is what the library recommends for serverless.
    sink.add(
      new LoggingWinston({
        redirectToStdout: true,
        useMessageField: false,
        logName: service,
        serviceContext: { service, version },
        ...(options.projectId === undefined ? {} : { projectId: options.projectId }),
      }),
    );
    sink.remove(stdout);
  };

  return {
    ...loggerOver((inCloud ? cloudWrite : terminalWrite)(sink, options, now), level, {}),
    attachCloudTransport: async () => {
      if (!inCloud) return;
      attaching ??= attach();
      await attaching;
    },
  };
};

export const nullLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => nullLogger,
};

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps its lines, redacted as any other's, for tests to read. */
export const memoryLogger = (): Logger & { readonly lines: LogLine[] } => {
  const lines: LogLine[] = [];
  const write: Write = (level, message, fields) => {
    lines.push({ level, message, fields: { ...fields, ...origin() } });
  };
  return { ...loggerOver(write, 'debug', {}), lines };
};
