import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadFunctions, root } from './lib/functions.ts';
import { generatedFiles, staleFiles } from './lib/generated.ts';

const main = async (): Promise<void> => {
  const files = await generatedFiles(await loadFunctions());
  const stale = await staleFiles(files);
  if (process.argv.includes('--check')) {
    if (stale.length > 0) throw new Error(`Stale: ${stale.join(', ')}. Run npm run manifest and commit the result.`);
    return;
  }
  for (const path of stale) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), files.get(path) ?? '');
  }
  console.log(stale.length === 0 ? 'Everything is up to date.' : `Wrote ${stale.join(', ')}.`);
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
