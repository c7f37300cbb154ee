import { relative } from 'node:path';
import * as z from 'zod';
import type { Environment } from './environment.ts';
import type { LocalRelease } from './release.ts';
import type { Run } from './run.ts';

const outputsSchema = z.object({
  api_url: z.object({ value: z.url() }),
  release: z.object({ value: z.string() }),
  public_paths: z.object({ value: z.array(z.string()) }),
  addresses: z.object({ value: z.record(z.string(), z.string()) }),
});

export interface Outputs {
  readonly url: string;
  readonly release: string;
  readonly paths: readonly string[];
  readonly addresses: Readonly<Record<string, string>>;
}

/** Terraform on the root module, for one environment. */
export const terraform = (environment: Environment, infra: string, run: Run) => {
  const call = (args: readonly string[], capture = false) =>
    run({ program: 'terraform', args, cwd: infra, env: { TF_IN_AUTOMATION: '1', TF_INPUT: '0' }, capture });
  // Paths of a release are given to modules from the root module's folder.
  const variables = ({ varFile, packages, manifest }: LocalRelease): string[] => [
    `-var-file=${environment.tfvars}`,
    `-var-file=${varFile}`,
    `-var=packages_directory=${relative(infra, packages)}`,
    `-var=manifest_file=${relative(infra, manifest)}`,
  ];

  return {
    init: () =>
      call([
        'init',
        '-reconfigure',
        `-backend-config=bucket=${environment.stateBucket}`,
        `-backend-config=prefix=terraform/${environment.name}`,
      ]),
    /** Writes a plan. What is applied later is this plan, and nothing that has changed since. */
    plan: (release: LocalRelease, planFile: string) => call(['plan', `-out=${planFile}`, ...variables(release)]),
    apply: (planFile: string) => call(['apply', planFile]),
    /** Only what containers are kept in, which must be there before the first of them is built. Asks nothing. */
    applyRegistry: (release: LocalRelease) =>
      call([
        'apply',
        '-auto-approve',
        '-target=google_artifact_registry_repository.containers',
        '-target=google_project_iam_member.build',
        ...variables(release),
      ]),
    outputs: async (): Promise<Outputs> => {
      const outputs = outputsSchema.parse(JSON.parse(await call(['output', '-json'], true)));
      return {
        url: outputs.api_url.value,
        release: outputs.release.value,
        paths: outputs.public_paths.value,
        addresses: outputs.addresses.value,
      };
    },
  };
};
export type Terraform = ReturnType<typeof terraform>;
