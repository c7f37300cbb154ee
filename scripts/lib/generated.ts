import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { loadConfig } from '#shared/config/config.ts';
import { joinOpenApi, type OpenApiDocument } from '#shared/http/openapi.ts';
import { functionApp } from '#shared/runtime/function-app.ts';
import { createRuntime } from '#shared/runtime/runtime.ts';
import { firestoreIndexes } from '#shared/store/indexes.ts';
import { asvsPage, readAsvs } from './asvs.ts';
import { type FunctionFolder, root } from './functions.ts';
import { inspectFunction } from './inspect-function.ts';
import { type Findings, manifestOf, unreachableRoutes } from './manifest.ts';

const isDocument = (value: unknown): value is OpenApiDocument =>
  typeof value === 'object' && value !== null && 'paths' in value && 'components' in value && 'tags' in value;

export const packageVersion = async (): Promise<string> =>
  z.object({ version: z.string() }).parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))).version;

/** The document of all functions and what is found of each, by the functions themselves on an empty embedded store. */
const tryFunctions = async (functions: readonly FunctionFolder[], servers?: readonly string[]) => {
  const version = await packageVersion();
  const found = new Map<string, Findings>();
  const config = loadConfig({
    OMNI_STORE: 'embedded',
    OMNI_BUS: 'embedded',
    OMNI_VERSION: version,
    LOG_LEVEL: 'error',
  });
  const runtime = await createRuntime('manifest', config);
  const documents: OpenApiDocument[] = [];
  for (const folder of functions) {
    const { definition } = folder;
    const { services, findings } = inspectFunction(folder, runtime);
    found.set(definition.name, findings);
    const unreachable = unreachableRoutes(definition, definition.routes(services));
    if (unreachable.length > 0) {
      throw new Error(`${definition.name} serves ${unreachable.join(', ')}, outside its paths.`);
    }
    const document: unknown = await (await functionApp(definition, runtime, services).request('/openapi.json')).json();
    if (!isDocument(document)) throw new Error(`${definition.name} answers /openapi.json with something else.`);
    documents.push(document);
  }
  await runtime.close();
  const openApi = joinOpenApi({ title: 'Omni', version, ...(servers === undefined ? {} : { servers }) }, documents);
  return { openApi, found };
};

/** The document of all functions. */
export const joinedOpenApi = async (functions: readonly FunctionFolder[], servers?: readonly string[]) =>
  (await tryFunctions(functions, servers)).openApi;

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Every file that is written from the registries in code and documents, with its content. Paths are relative to the repository. */
export const generatedFiles = async (functions: readonly FunctionFolder[]): Promise<ReadonlyMap<string, string>> => {
  const definitions = functions.map(({ definition }) => definition);
  const collections = definitions.flatMap((definition) => definition.collections).toSorted(byName);
  const { openApi, found } = await tryFunctions(functions);
  return new Map([
    ['infra/manifest.json', text(manifestOf(definitions, found))],
    ['firestore.indexes.json', text(firestoreIndexes(collections))],
    ['docs/openapi.json', text(openApi)],
    ['docs/security/asvs.md', asvsPage(await readAsvs())],
  ]);
};

/** Those of the files that are not as they should be. */
export const staleFiles = async (files: ReadonlyMap<string, string>, directory = root): Promise<string[]> => {
  const stale: string[] = [];
  for (const [path, content] of files) {
    const found = await readFile(join(directory, path), 'utf8').catch(() => undefined);
    if (found !== content) stale.push(path);
  }
  return stale;
};
