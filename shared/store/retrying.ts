import { isOmniError } from '../kernel/errors.ts';

/** Runs `work`, which reads anew each time, again while somebody else changes what it read. At most `attempts` times. */
export const retrying = async <R>(attempts: number, work: () => Promise<R>): Promise<R> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isOmniError(error, 'revision-conflict') || attempt >= attempts) throw error;
    }
  }
};
