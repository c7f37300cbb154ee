import { type ErrorCode, OmniError } from '../kernel/errors.ts';

/** By gRPC status: https://grpc.io/docs/guides/status-codes. */
const refusals: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  4: ['unavailable', 'The database did not answer in time.'],
  5: ['not-found', 'The document does not exist.'],
  6: ['already-exists', 'The document already exists.'],
  8: ['unavailable', 'The database has too much to do.'],
  9: ['revision-conflict', 'The document has changed since it was read.'],
  10: ['revision-conflict', 'Others kept changing what this needs. Try again.'],
  14: ['unavailable', 'The database cannot be reached.'],
};

/** What an error of Firestore means to whoever called; any other error as it is. */
export const meaningOf = (error: unknown): unknown => {
  if (!(error instanceof Error) || error instanceof OmniError || !('code' in error)) return error;
  // An expected revision that is later than the stored one is answered as an invalid argument (3).
  const status = error.message.includes('base version') ? 9 : Number(error.code);
  const refusal = refusals[status];
  return refusal ? new OmniError(...refusal, { cause: error }) : error;
};

export const translated = async <R>(call: () => Promise<R>): Promise<R> => {
  try {
    return await call();
  } catch (error) {
    throw meaningOf(error);
  }
};
