import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { root } from './functions.ts';

export interface CheckResult {
  /** `real` with the provider, `offline` with what stands in for it, `none` where neither is to be had. */
  readonly by: 'real' | 'offline' | 'none';
  readonly passed: boolean;
  readonly output: string;
}

interface Ended {
  readonly status: number | string;
  readonly output: string;
}

const run = (program: string, args: readonly string[], cwd: string): Promise<Ended> =>
  new Promise((done) => {
    // A registry that does not answer is to be found out in seconds.
    const quick = { TF_REGISTRY_CLIENT_TIMEOUT: '10', TF_REGISTRY_DISCOVERY_RETRY: '1', CHECKPOINT_DISABLE: '1' };
    const env = { ...process.env, ...quick, TF_IN_AUTOMATION: '1' };
    const options = { cwd, maxBuffer: 64 * 1024 * 1024, env };
    execFile(program, args, options, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : (error.code ?? 1), output: `${stdout}${stderr}` });
    });
  });

/**
 * A program that takes a root module and does `fmt`, `init`, `validate` and `test` with the provider's schema alone,
 * where the provider can't be downloaded: OMNI_TERRAFORM_CHECK names it, or it lies beside the repository.
 */
export const offlineChecker = async (): Promise<string | undefined> => {
  const named = process.env.OMNI_TERRAFORM_CHECK;
  const path = named ?? resolve(root, '../shared/tools/terraform-check/terraform-check');
  return access(path).then(
    () => path,
    () => undefined,
  );
};

const unavailable = /Failed to (?:query available provider packages|install provider)/;

/** With the real provider, as far as the first step that fails. Undefined where it can't be downloaded. */
const checkReal = async (infra: string): Promise<CheckResult | undefined> => {
  const initialised = await run('terraform', ['init', '-backend=false', '-input=false', '-no-color'], infra);
  if (unavailable.test(initialised.output)) return undefined;
  if (initialised.status !== 0) return { by: 'real', passed: false, output: initialised.output };
  let output = '';
  for (const args of [
    ['validate', '-no-color'],
    ['test', '-no-color'],
  ]) {
    const step = await run('terraform', args, infra);
    output += step.output;
    if (step.status !== 0) return { by: 'real', passed: false, output };
  }
  return { by: 'real', passed: true, output };
};

/** Without the provider, by the checker. It is run from the repository, whose packages it may need. */
export const checkOffline = async (checker: string, infra: string): Promise<CheckResult> => {
  const { status, output } = await run(checker, [infra], root);
  return { by: 'offline', passed: status === 0, output };
};

/** The form, the types and the tests of the Terraform in a folder, by whatever is to be had. */
export const checkInfra = async (infra: string): Promise<CheckResult> => {
  const form = await run('terraform', ['fmt', '-check', '-recursive', '-no-color'], infra);
  if (form.status === 'ENOENT') return { by: 'none', passed: true, output: 'terraform is not installed.\n' };
  if (form.status !== 0) return { by: 'none', passed: false, output: `Not formatted:\n${form.output}` };
  const real = await checkReal(infra);
  if (real !== undefined) return real;
  const checker = await offlineChecker();
  if (checker !== undefined) return checkOffline(checker, infra);
  return { by: 'none', passed: true, output: 'The provider can’t be downloaded here, and nothing stands in for it.\n' };
};
