import * as z from 'zod';

const entrySchema = z.looseObject({
  version: z.string().optional(),
  dependencies: z.record(z.string(), z.string()).optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
  peerDependencies: z.record(z.string(), z.string()).optional(),
  peerDependenciesMeta: z.record(z.string(), z.looseObject({ optional: z.boolean().optional() })).optional(),
});
type Entry = z.infer<typeof entrySchema>;

const lockSchema = z.looseObject({ lockfileVersion: z.literal(3), packages: z.record(z.string(), entrySchema) });

/** Where Node finds a package from a folder: the nearest node_modules, outwards. */
const placeOf = (packages: Readonly<Record<string, Entry>>, name: string, from: string): string | undefined => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const place = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (at === '') return undefined;
  }
};

const needsOf = (entry: Entry): string[] => [
  ...Object.keys(entry.dependencies ?? {}),
  ...Object.keys(entry.optionalDependencies ?? {}),
  ...Object.keys(entry.peerDependencies ?? {}).filter((name) => entry.peerDependenciesMeta?.[name]?.optional !== true),
];

/**
 * The lock file of a package that needs nothing but these dependencies: the part of the repository's own lock file that
 * they lead to. Throws where one of them is not in it at that version.
 */
export const lockOf = (
  name: string,
  dependencies: Readonly<Record<string, string>>,
  engines: Readonly<Record<string, string>>,
  repositoryLock: string,
): string => {
  const { packages } = lockSchema.parse(JSON.parse(repositoryLock));
  const taken = new Map<string, Entry>();
  const waiting = Object.keys(dependencies).map((dependency) => ({ dependency, from: '', optional: false }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { dependency, from, optional } = next;
    const place = placeOf(packages, dependency, from);
    const entry = place === undefined ? undefined : packages[place];
    if (place === undefined || entry === undefined) {
      if (optional) continue;
      throw new Error(`package-lock.json does not have ${dependency}, which ${from || name} needs.`);
    }
    if (from === '' && entry.version !== dependencies[dependency]) {
      throw new Error(
        `package-lock.json has ${dependency} ${entry.version}, and ${name} wants ${dependencies[dependency]}.`,
      );
    }
    if (taken.has(place)) continue;
    // What only development needs there, this package needs for itself.
    const { dev: _dev, devOptional: _devOptional, ...kept } = entry;
    taken.set(place, kept);
    const optionals = new Set(Object.keys(entry.optionalDependencies ?? {}));
    for (const one of needsOf(entry)) waiting.push({ dependency: one, from: place, optional: optionals.has(one) });
  }
  const sorted = [...taken].sort(([a], [b]) => (a < b ? -1 : 1));
  const content = {
    name,
    lockfileVersion: 3,
    requires: true,
    packages: { '': { name, dependencies, engines }, ...Object.fromEntries(sorted) },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
};
