import { spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { runWithContext } from './context.ts';
import { createLogger, type LoggerOptions, memoryLogger, nullLogger } from './logger.ts';

const trace = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true };

const capture = (options: Partial<LoggerOptions> = {}) => {
  const lines: unknown[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const logger = createLogger({
    level: 'info',
    service: 'ai',
    version: '1.2.3',
    format: 'terminal',
    now: () => Date.parse('2026-01-01T00:00:00.123Z'),
    stream,
    ...options,
  });
  return { logger, lines };
};

describe('on a terminal', () => {
  it('writes one JSON object a line with service, tenant, request and span', () => {
    const { logger, lines } = capture();
    runWithContext({ tenant: 'acme', requestId: 'req_1', trace }, () => logger.info('Predicted.', { count: 2 }));
    expect(lines).toEqual([
      {
        time: '2026-01-01T00:00:00.123Z',
        level: 'info',
        message: 'Predicted.',
        count: 2,
        service: 'ai',
        version: '1.2.3',
        tenant: 'acme',
        requestId: 'req_1',
        traceId: trace.traceId,
        spanId: trace.spanId,
      },
    ]);
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = capture({ level: 'warn' });
    logger.debug('no');
    logger.info('no');
    logger.warn('yes');
    logger.error('yes');
    expect(lines).toHaveLength(2);
  });

  it('redacts the message, the fields and those of children', () => {
    const { logger, lines } = capture();
    logger
      .child({ apiKey: 'k', job: 'digest' })
      .child({ attempt: 2 })
      .error('Mail to ada@example.com failed.', { error: new Error('Bearer abcdefgh12345678') });
    const line = JSON.stringify(lines);
    expect(line).toContain('"job":"digest","attempt":2');
    expect(line).toContain('Mail to [redacted] failed.');
    expect(line).not.toMatch(/ada@example|abcdefgh|"apiKey":"k"/);
  });

  it('does not let a field pass itself off as the tenant, level or message', () => {
    const { logger, lines } = capture();
    runWithContext({ tenant: 'acme' }, () =>
      logger.info('Real.', { tenant: 'evil', level: 'error', message: 'Fake.' }),
    );
    expect(lines).toMatchObject([{ tenant: 'acme', level: 'info', message: 'Real.' }]);
  });
});

describe('in the cloud', () => {
  it('writes the structured JSON of Cloud Logging', () => {
    const { logger, lines } = capture({ format: 'cloud', projectId: 'p1' });
    runWithContext({ tenant: 'acme', trace }, () => logger.warn('Slow.', { ms: 900 }));
    expect(lines).toEqual([
      {
        severity: 'WARNING',
        message: 'Slow.',
        metadata: { ms: 900, service: 'ai', version: '1.2.3', tenant: 'acme' },
        timestamp: { seconds: 1767225600, nanos: 123_000_000 },
        'logging.googleapis.com/trace': `projects/p1/traces/${trace.traceId}`,
        'logging.googleapis.com/spanId': trace.spanId,
        'logging.googleapis.com/trace_sampled': true,
      },
    ]);
  });

  it('puts the stack of an error where Error Reporting looks for it', () => {
    const { logger, lines } = capture({ format: 'cloud' });
    logger.error('Failed.', { error: new TypeError('bad') });
    expect(lines).toMatchObject([
      {
        severity: 'ERROR',
        message: expect.stringMatching(/^Failed\. TypeError: bad\n {4}at /),
        serviceContext: { service: 'ai', version: '1.2.3' },
      },
    ]);
  });

  it('writes the same lines through logging-winston once that is attached, and loses none on the way', async () => {
    const script = `
      import { createLogger } from ${JSON.stringify(import.meta.resolve('./logger.ts'))};
      import { runWithContext } from ${JSON.stringify(import.meta.resolve('./context.ts'))};
      const logger = createLogger({ level: 'info', service: 'ai', version: '1', format: 'cloud', projectId: 'p1' });
      const say = (i) => runWithContext({ tenant: 'acme', trace: ${JSON.stringify(trace)} }, () =>
        i === 3 ? logger.error('Line.', { i, error: new Error('bad') }) : logger.info('Line.', { i }));
      for (let i = 0; i < 3; i += 1) say(i);
      const attached = logger.attachCloudTransport();
      say(3);
      await attached;
      for (let i = 4; i < 8; i += 1) say(i);
      say(3);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { METADATA_SERVER_DETECTION: 'none' },
    });
    const output = await text(child.stdout);
    const lines: Record<string, unknown>[] = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const own = lines.filter((line) => JSON.stringify(line).includes('"i":'));
    const numbers = own.map((line) => /"i":(\d)/.exec(JSON.stringify(line))?.[1]).join('');
    expect(numbers).toBe('012345673');

    const shape = (line: Record<string, unknown> | undefined) => ({
      severity: line?.severity,
      trace: line?.['logging.googleapis.com/trace'],
      span: line?.['logging.googleapis.com/spanId'],
      sampled: line?.['logging.googleapis.com/trace_sampled'],
      message: String(line?.message).replace(/\n.*/s, ''),
      metadata: Object.keys(Object(line?.metadata)).sort(),
      time: Object.keys(Object(line?.timestamp)),
      service: line?.serviceContext,
    });
    expect(shape(own[5])).toEqual(shape(own[0]));
    expect(shape(own[8])).toEqual(shape(own[3]));
    expect(shape(own[8]).message).toBe('Line. Error: bad');
  });

  it('attaches nothing on a terminal', async () => {
    const { logger, lines } = capture();
    await logger.attachCloudTransport();
    logger.info('Here.');
    expect(lines).toHaveLength(1);
  });
});

describe('for tests', () => {
  it('keeps lines in memory, redacted', () => {
    const logger = memoryLogger();
    runWithContext({ tenant: 'acme' }, () =>
      logger.child({ job: 'digest' }).warn('For ada@example.com.', { password: 'x' }),
    );
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        message: 'For [redacted].',
        fields: { job: 'digest', password: '[redacted]', tenant: 'acme' },
      },
    ]);
  });

  it('says nothing at all', () => {
    expect(nullLogger.child({ a: 1 }).info('x')).toBeUndefined();
  });
});
