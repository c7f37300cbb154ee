import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { type ErrorCode, OmniError } from '../../kernel/errors.ts';
import { outsideSystem } from '../../kernel/outside-system.ts';
import type { Gateway } from './gateway.ts';

export interface AcmePayClientOptions {
  readonly baseUrl: string;
  readonly secretKey: string;
  readonly clock: Clock;
  /** Seconds, 10 where absent. */
  readonly timeout?: number;
}

const errorSchema = z.object({ error: z.object({ type: z.string(), code: z.string() }) });

const codes: Readonly<Record<string, ErrorCode>> = {
  invalid_request: 'invalid-request',
  authentication: 'forbidden',
  not_found: 'not-found',
  invalid_state: 'precondition-failed',
  idempotency: 'idempotency-mismatch',
};

const refusalOf = (response: Response, body: unknown): OmniError => {
  if (response.status === 429) {
    const seconds = Number(response.headers.get('retry-after'));
    const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : 1;
    return new OmniError('rate-limited', 'AcmePay asks to be called less often.', { retryAfter });
  }
  const parsed = errorSchema.safeParse(body);
  const code = parsed.success ? codes[parsed.data.error.type] : undefined;
  if (response.status >= 500 || !parsed.success || code === undefined) {
    return new OmniError('unavailable', `AcmePay gave no answer to rely on (${response.status}).`);
  }
  return new OmniError(code, `AcmePay refuses it: ${parsed.data.error.code}.`);
};

/** AcmePay's protocol: JSON, a bearer key, an idempotency key on every write. */
export const acmePayClient = ({ baseUrl, secretKey, clock, timeout = 10 }: AcmePayClientOptions) => {
  // Who calls decides whether to call again: it knows what may have been done already.
  const system = outsideSystem({ name: 'AcmePay', clock, timeout, attempts: 1 });

  const call = <T>(path: string, schema: z.ZodType<T>, init: RequestInit = {}): Promise<T> =>
    system.call(async (signal) => {
      const headers = { authorization: `Bearer ${secretKey}`, accept: 'application/json', ...init.headers };
      const response = await fetch(`${baseUrl}${path}`, { ...init, headers, redirect: 'error', signal });
      const body: unknown = await response.json();
      if (!response.ok) throw refusalOf(response, body);
      return schema.parse(body);
    });

  return {
    get: <T>(path: string, schema: z.ZodType<T>): Promise<T> => call(path, schema),
    /** Undefined where there is none. */
    find: async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
      try {
        return await call(path, schema);
      } catch (error) {
        if (error instanceof OmniError && error.code === 'not-found') return undefined;
        throw error;
      }
    },
    post: <T>(path: string, body: unknown, key: string, schema: z.ZodType<T>): Promise<T> =>
      call(path, schema, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
      }),
    status: (): ReturnType<Gateway['status']> => system.status(),
  };
};
