import { join } from 'node:path';
import { checkInfra } from './lib/check-infra.ts';
import { root } from './lib/functions.ts';

const { by, passed, output } = await checkInfra(join(root, 'infra'));
process.stdout.write(output);
if (by === 'none' && passed) {
  console.log('Not checked: whether the Terraform is valid, and its tests (fmt is, where terraform is installed).');
  // A machine that lands changes must have it.
  if (process.env.CI !== undefined) process.exitCode = 1;
} else {
  console.log(`${passed ? 'Passed' : 'Failed'}, ${by === 'real' ? 'with the provider' : 'with its schema alone'}.`);
}
if (!passed) process.exitCode = 1;
