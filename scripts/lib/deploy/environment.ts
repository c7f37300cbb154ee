import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../functions.ts';

export const environments = ['dev', 'staging', 'prod'] as const;
export type EnvironmentName = (typeof environments)[number];

export const isEnvironment = (name: string): name is EnvironmentName => environments.some((one) => one === name);

/** What a deployment must know of an environment before Terraform runs. */
export interface Environment {
  readonly name: EnvironmentName;
  readonly projectId: string;
  /** Holds the state, and what each release was made of. Made by hand, once: docs/deploy.md. */
  readonly stateBucket: string;
  /** The first of its regions. */
  readonly region: string;
  readonly tfvars: string;
}

const textIn = (tfvars: string, name: string): string => {
  const value = new RegExp(`^${name}\\s*=\\s*"([^"]+)"`, 'm').exec(tfvars)?.[1];
  if (value === undefined) throw new Error(`infra/environments does not say ${name} of this environment.`);
  return value;
};

/** Reads `infra/environments/<name>.tfvars`. Project and bucket are plain text in it. */
export const readEnvironment = async (name: EnvironmentName, repository = root): Promise<Environment> => {
  const path = join(repository, 'infra/environments', `${name}.tfvars`);
  const tfvars = await readFile(path, 'utf8');
  const region = /^regions\s*=\s*\[\s*"([^"]+)"/m.exec(tfvars)?.[1];
  if (region === undefined) throw new Error('infra/environments does not say the regions of this environment.');
  return {
    name,
    projectId: textIn(tfvars, 'project_id'),
    stateBucket: textIn(tfvars, 'state_bucket'),
    region,
    tfvars: path,
  };
};
