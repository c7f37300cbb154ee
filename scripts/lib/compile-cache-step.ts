import { fillCompileCache } from './compile-cache.ts';

/**
 * A step of the cloud's build (`gcp-build` in a function's package.json), which makes the compile cache there: it can
 * only be read by the Node that wrote it, at the place where it was written. Bundled into every package.
 */
const name = process.argv[2];
if (name === undefined) throw new Error('Which function? node compile-cache.mjs <name>');
await fillCompileCache(name, process.cwd());
