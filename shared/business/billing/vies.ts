import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';
import type { VatRegister } from './vat-register.ts';

export interface ViesOptions {
  /** `https://ec.europa.eu/taxation_customs/vies/rest-api` where absent. */
  readonly baseUrl?: string | undefined;
  /** Seconds for one request, 8 where absent. */
  readonly timeout?: number;
  /** Requests beside the first, 2 where absent. */
  readonly retries?: number;
  /** Milliseconds before the nth repetition; grows with jitter where absent. */
  readonly pause?: (repetition: number) => number;
}

const official = 'https://ec.europa.eu/taxation_customs/vies/rest-api';

const answerSchema = z.object({
  valid: z.boolean(),
  requestIdentifier: z.string().max(100).nullish(),
  actionSucceed: z.boolean().optional(),
});

const parts = (vatId: string) => ({ countryCode: vatId.slice(0, 2), vatNumber: vatId.slice(2) });

/** Of the form that VIES itself refuses: it is no number of anybody. */
const isRefusal = (body: unknown): boolean => JSON.stringify(body ?? '').includes('INVALID_INPUT');

/**
 * The VIES of the European Commission, by its REST interface (https://ec.europa.eu/taxation_customs/vies/#/technical-information):
 * `POST /check-vat-number`. It is free and often overloaded: what a member state does not answer is told as an error of
 * the whole (`MS_UNAVAILABLE`, `MS_MAX_CONCURRENT_REQ`), and asked again after a pause.
 */
export const vies = (options: ViesOptions = {}): VatRegister => {
  const { baseUrl = official, timeout = 8, retries = 2 } = options;
  const pause = options.pause ?? ((n: number) => 300 * 2 ** n * (0.5 + Math.random()));

  const ask = async (vatId: string, requester: string | undefined): Promise<unknown> => {
    const by = requester === undefined ? undefined : parts(requester);
    const body = {
      ...parts(vatId),
      ...(by === undefined ? {} : { requesterMemberStateCode: by.countryCode, requesterNumber: by.vatNumber }),
    };
    const response = await fetch(`${baseUrl}/check-vat-number`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(timeout * 1_000),
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.status === 400 && isRefusal(answer)) return { valid: false };
    if (!response.ok) throw new Error(`VIES answered ${response.status}.`);
    return answer;
  };

  return {
    check: async (vatId, requester) => {
      let cause: unknown;
      for (let attempt = 0; attempt <= retries; attempt += 1) {
        if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, pause(attempt)));
        try {
          const parsed = answerSchema.safeParse(await ask(vatId, requester));
          if (parsed.success && parsed.data.actionSucceed !== false) {
            return { valid: parsed.data.valid, consultation: parsed.data.requestIdentifier || null };
          }
          cause = new Error('VIES did not answer the question.');
        } catch (error) {
          cause = error;
        }
      }
      throw new OmniError('unavailable', 'The register of VAT numbers does not answer.', { cause });
    },
  };
};
