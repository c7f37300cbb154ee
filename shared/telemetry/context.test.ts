import { describe, expect, it } from 'vitest';
import { currentContext, formatTraceparent, parseTraceparent, runWithContext } from './context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('the request context', () => {
  it('holds over awaits, adds to the one around it and ends with the work', async () => {
    await runWithContext({ tenant: 'acme' }, async () => {
      await Promise.resolve();
      runWithContext({ requestId: 'req_1' }, () => {
        expect(currentContext()).toEqual({ tenant: 'acme', requestId: 'req_1' });
      });
      expect(currentContext()).toEqual({ tenant: 'acme' });
    });
    expect(currentContext()).toEqual({});
  });

  it('keeps concurrent requests apart', async () => {
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((tenant) =>
        runWithContext({ tenant }, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return currentContext().tenant;
        }),
      ),
    );
    expect(seen).toEqual(['a', 'b', 'c']);
  });
});

describe('traceparent', () => {
  it('reads and writes what W3C defines', () => {
    const text = `00-${traceId}-${spanId}-01`;
    const trace = parseTraceparent(text, 'vendor=1');
    expect(trace).toEqual({ traceId, spanId, sampled: true, tracestate: 'vendor=1' });
    expect(trace && formatTraceparent(trace)).toBe(text);
    expect(parseTraceparent(`cc-${traceId}-${spanId}-00-later`)).toEqual({ traceId, spanId, sampled: false });
  });

  it.each([
    undefined,
    '',
    'nonsense',
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${traceId}-${spanId}-1`,
    `cc-${traceId}-${spanId}-01-${'x'.repeat(200)}`,
  ])('starts a new trace for %s', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});
