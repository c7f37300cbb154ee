import { isOmniError } from '../../kernel/errors.ts';

const maxAttempts = 5;

/** Again, where the document was changed between the look at it and the commit. */
export const retried = async <R>(work: () => Promise<R>): Promise<R> => {
  for (let i = 1; ; i += 1) {
    try {
      return await work();
    } catch (error) {
      const isLost = isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists');
      if (!isLost || i >= maxAttempts) throw error;
    }
  }
};
