import type { ErasureServices } from '../erasure/index.ts';
import type { Runtime } from './runtime.ts';

export type { ErasureServices } from '../erasure/index.ts';

/**
 * What a domain's eraser works with. Not in erasers.ts: that names every domain, and a function that only brings its own
 * should not load the others when it starts.
 */
export const erasingOf = ({ database, blobs, makeEvent, clock }: Runtime): ErasureServices['erasing'] => ({
  database,
  blobs,
  makeEvent,
  clock,
});
