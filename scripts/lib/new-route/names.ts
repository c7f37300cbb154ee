/** All forms in which the templates say what a route is of. The keys are what stands between their braces. */
export interface RouteNames {
  /** camelCase, as everything without another mark: `priceExperiment`. */
  readonly group: string;
  readonly thing: string;
  readonly things: string;
  /** What the route's file exports. */
  readonly routes: string;
  /** PascalCase. */
  readonly Thing: string;
  /** The type of the function's services: `SupportServices`. */
  readonly Services: string;
  /** kebab-case. */
  readonly 'group-': string;
  readonly 'route-': string;
  readonly 'thing-': string;
  /** `price experiments` */
  readonly 'thing words': string;
  readonly 'things words': string;
  readonly 'a thing': string;
  readonly 'A thing': string;
  /** Of ids. */
  readonly prefix: string;
  /** Of the list: `/api/v1/monetization/price-experiments`. */
  readonly path: string;
}

/** Folders of `shared/` that are no domains, and the function that takes what providers send. */
const reservedGroups = [
  'blobs',
  'cache',
  'config',
  'events',
  'http',
  'internal',
  'kernel',
  'runtime',
  'store',
  'telemetry',
  'webhooks',
  'workflows',
];

/** What the language keeps for itself, as far as our names could meet it. */
const keywords = new Set(
  (
    'arguments async await break case catch class const continue debugger default delete do else enum eval export ' +
    'extends false finally for function if implements import in instanceof interface let new null of package private ' +
    'protected public return static super switch this throw true try typeof undefined var void while with yield'
  ).split(' '),
);

const checked = (what: string, name: string): string => {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 40) {
    throw new Error(`"${name}" is no name for a ${what}: use kebab-case, at most 40 letters, digits and hyphens.`);
  }
  return name;
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const pascal = (kebab: string): string => kebab.split('-').map(capital).join('');
const camel = (kebab: string): string => pascal(kebab).replace(/^./, (letter) => letter.toLowerCase());

const plural = (noun: string): string => {
  if (/[^aeiou]y$/.test(noun)) return noun.replace(/y$/, 'ies');
  return /(?:s|x|z|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`;
};

const singular = (noun: string): string => {
  if (/ies$/.test(noun)) return noun.replace(/ies$/, 'y');
  return /[^s]s$/.test(noun) ? noun.slice(0, -1) : noun;
};

const article = (noun: string): string => (/^(?:[aeio]|u(?!s|ni))/.test(noun) ? 'an' : 'a');

/** Throws one clear line for a name that can't be used. The thing is the route's singular where it is not given. */
export const routeNames = (group: string, route: string, thing?: string): RouteNames => {
  if (reservedGroups.includes(checked('group', group))) {
    throw new Error(`"${group}" is not a group: shared/${group} and functions/${group} are kept for the ground.`);
  }
  const noun = checked('thing', thing ?? singular(checked('route', route)));
  const nouns = plural(noun);
  const words = noun.replaceAll('-', ' ');
  const names: RouteNames = {
    group: camel(group),
    thing: camel(noun),
    things: camel(nouns),
    routes: route === group ? `${camel(route)}Routes` : camel(route),
    Thing: pascal(noun),
    Services: `${pascal(group)}Services`,
    'group-': group,
    'route-': route,
    'thing-': noun,
    'thing words': words,
    'things words': nouns.replaceAll('-', ' '),
    'a thing': `${article(words)} ${words}`,
    'A thing': `${capital(article(words))} ${words}`,
    prefix: noun.replaceAll('-', '').slice(0, 4),
    path: route === nouns ? `/api/v1/${route}` : `/api/v1/${route}/${nouns}`,
  };
  const word = [names.group, names.things, names.routes].find((name) => keywords.has(name));
  if (word !== undefined) throw new Error(`"${word}" is a word of the language; choose another name.`);
  return names;
};
