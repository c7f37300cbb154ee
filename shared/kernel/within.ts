import { OmniError } from './errors.ts';

/**
 * Resolves with the work, or rejects with `unavailable` when `seconds` are over. The signal tells the work to stop;
 * work that does not listen goes on, and what it does must be safe to be done late.
 */
export const within = async <T>(seconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new OmniError('unavailable', `It took longer than ${seconds} s.`);
    controller.abort(error);
    reject(error);
  }, seconds * 1000);
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
};
