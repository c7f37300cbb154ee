import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FunctionDefinition } from '#shared/runtime/function.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/** The repository. */
export const root = resolve(import.meta.dirname, '../..');

/** One function as its folder has it. That definition and services fit each other, `serve` in its index.ts proves. */
export interface FunctionFolder {
  readonly definition: FunctionDefinition<unknown>;
  readonly createServices: (runtime: Runtime) => unknown;
}

const functionsIn = (directory: string): string => join(directory, 'functions');

/** The folders under `functions/`, in order of name: the only list of functions that there is. */
export const functionNames = async (directory = root): Promise<string[]> =>
  (await readdir(functionsIn(directory), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

const isDefinition = (value: unknown): value is FunctionDefinition<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'routes' in value &&
  typeof value.routes === 'function' &&
  ['paths', 'jobs', 'schedules', 'collections', 'secrets'].every((key) => Array.isArray(Reflect.get(value, key)));

const isCreateServices = (value: unknown): value is FunctionFolder['createServices'] => typeof value === 'function';

const importFrom = async (path: string): Promise<Record<string, unknown>> => {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Error(`${path} does not load: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
};

const loadFunction = async (directory: string, name: string): Promise<FunctionFolder> => {
  const folder = join(functionsIn(directory), name);
  const [app, services] = await Promise.all([
    importFrom(join(folder, 'app.ts')),
    importFrom(join(folder, 'services.ts')),
  ]);
  const definitions = Object.values(app).filter(isDefinition);
  const [definition] = definitions;
  if (definition === undefined || definitions.length > 1) {
    throw new Error(`functions/${name}/app.ts exports ${definitions.length} function definitions; it is to have one.`);
  }
  if (definition.name !== name) {
    throw new Error(`functions/${name}/app.ts defines "${definition.name}"; a function has its folder's name.`);
  }
  if (!isCreateServices(services.createServices)) {
    throw new Error(`functions/${name}/services.ts exports no createServices.`);
  }
  return { definition, createServices: services.createServices };
};

/** Imports every function. Fails with one clear line that names the file. */
export const loadFunctions = async (directory = root): Promise<FunctionFolder[]> =>
  Promise.all((await functionNames(directory)).map((name) => loadFunction(directory, name)));
