import type { RouteNames } from './names.ts';

/** The text with the one match replaced; undefined where there is none, or more than one. */
const replaceOnly = (
  text: string | undefined,
  pattern: RegExp,
  replace: (...groups: string[]) => string,
): string | undefined => {
  const [match, ...more] = text?.matchAll(new RegExp(pattern, 'g')) ?? [];
  if (text === undefined || match === undefined || more.length > 0) return undefined;
  const [all, ...groups] = match;
  return `${text.slice(0, match.index)}${replace(...groups.map((group) => group ?? ''))}${text.slice(match.index + all.length)}`;
};

/** `a, b` with another one. Formatting is Biome's. */
const appended = (list: string, item: string): string =>
  [list.trim().replace(/,$/, ''), item].filter((part) => part !== '').join(', ');

const withImport = (text: string | undefined, from: string, names: string): string | undefined => {
  if (text === undefined) return undefined;
  const there = new RegExp(`import \\{([^}]*)\\} from '${from}';`);
  return there.test(text)
    ? replaceOnly(text, there, (list) => `import { ${appended(list, names)} } from '${from}';`)
    : `import { ${names} } from '${from}';\n${text}`;
};

const domainOf = (names: RouteNames): string => `#shared/${names['group-']}/index.ts`;

const creation = ({ Thing, thing, things }: RouteNames): string =>
  `${things}: create${Thing}Service({ database, ${things}: database.tenants(${thing}Collection), makeEvent, newId, clock })`;

const needed = ['database', 'makeEvent', 'newId', 'clock'];

/** What is taken from the runtime, with what the new service needs. */
const withNeeded = (list: string): string => {
  const given = list.split(',').map((name) => name.trim());
  return needed.filter((name) => !given.includes(name)).reduce(appended, list);
};

/** The name of the services' type that a function's definition uses, where its own services.ts exports it. */
export const servicesTypeOf = (app: string): string | undefined =>
  /import type \{ (\w+) \} from '\.\/services\.ts';/.exec(app)?.[1];

/** `app.ts` that mounts the route as well, or undefined where it is not of the shape that every app.ts has. */
export const wireApp = (app: string, names: RouteNames): string | undefined => {
  const { thing, routes } = names;
  let text = withImport(app, domainOf(names), `${thing}Collection`);
  text = withImport(text, `./routes/${names['route-']}.ts`, routes);
  text = replaceOnly(
    text,
    /paths: \[([^\]]*)\]/,
    (list) => `paths: [${appended(list, `'/api/v1/${names['route-']}'`)}]`,
  );
  text = replaceOnly(
    text,
    /collections: \[([^\]]*)\]/,
    (list) => `collections: [${appended(list, `${thing}Collection`)}]`,
  );
  return replaceOnly(text, /routes: (?:(\w+)|\(\) => \[\]|\(services\) => \[([^\]]*)\]),\n/, (single, many) => {
    if (single === '' && many === '') return `routes: ${routes},\n`;
    const others = single === '' ? many : `...${single}(services)`;
    return `routes: (services) => [${appended(others, `...${routes}(services)`)}],\n`;
  });
};

/** `services.ts` that builds the service as well, or undefined where it is not of a shape that is known. */
export const wireServices = (services: string, names: RouteNames): string | undefined => {
  const { Thing, thing, things, Services } = names;
  const derived = services.includes(`export type ${Services} = ReturnType<typeof createServices>;`);
  let text = withImport(
    services,
    domainOf(names),
    `create${Thing}Service, ${derived ? '' : `type ${Thing}Service, `}${thing}Collection`,
  );
  text =
    replaceOnly(
      text,
      /createServices = \(\{([^}]*)\}: Runtime\)/,
      (list) => `createServices = ({ ${withNeeded(list)} }: Runtime)`,
    ) ??
    replaceOnly(
      text,
      /(createServices = \(runtime: Runtime\)[^{]*\{\n {2}const )\{([^}]*)\} = runtime;/,
      (begin, list) => `${begin}{ ${withNeeded(list)} } = runtime;`,
    );
  text = replaceOnly(
    text,
    /(createServices = [\s\S]*?(?:=> \(\{|\n {2}return \{)[\s\S]*?)(\n\}\);|\n {2}\};\n\};| \};\n\};)/,
    (body, end) => `${body.replace(/,?$/, ',')}\n${creation(names)},${end}`,
  );
  if (derived) return text;
  return replaceOnly(
    text,
    new RegExp(`(export interface ${Services}(?: extends [\\w, ]+)? \\{[^}]*)\\}`),
    (members) => `${members}  readonly ${things}: ${Thing}Service;\n}`,
  );
};

/** The domain's eraser with one more collection, or undefined where it is not of the known shape. */
export const wireEraser = (
  eraser: string,
  { thing, 'route-': route, 'thing-': file }: RouteNames,
): string | undefined =>
  replaceOnly(
    withImport(eraser, `./${route}/${file}.schema.ts`, `${thing}Collection`),
    /collections: \[([^\]]*)\]/,
    (list) => `collections: [${appended(list, `${thing}Collection`)}]`,
  );

/** `shared/runtime/erasers.ts` with a new domain's eraser; undefined where it is not of the known shape. */
export const wireErasers = (erasers: string, { group, 'group-': folder }: RouteNames): string | undefined =>
  replaceOnly(
    withImport(erasers, `../${folder}/index.ts`, `${group}Eraser`),
    /(export const erasers: readonly Eraser\[\] = \[)([^\]]*)\]/,
    (begin, list) => `${begin}${appended(list, `${group}Eraser`)}]`,
  );

/**
 * `shared/security/access/permissions.ts` with the scopes of the route, so that others than owners may call it; as it
 * is where the group has them, and undefined where it is not of the known shape.
 */
export const wirePermissions = (permissions: string, { 'group-': group }: RouteNames): string | undefined => {
  const rows = [
    [`${group}:read`, `{ allows: 'Read what ${group} keeps', roles: everybody }`],
    [`${group}:write`, `{ allows: 'Change what ${group} keeps', roles: ['admin', 'member'] }`],
  ].flatMap(([scope, row]) => (permissions.includes(`'${scope}': {`) ? [] : `  '${scope}': ${row},`));
  return replaceOnly(
    permissions,
    /(export const permissions: Readonly<Record<string, Permission>> = \{[\s\S]*?)\n\};/,
    (entries) => [entries, ...rows, '};'].join('\n'),
  );
};

const madeFor = ({ path }: RouteNames): string => `await make('${path}', { name: \`of-\${tenant}\` })`;

/**
 * `tests/support/resources.ts` that gives a tenant two of the things as well, so that the tests of every route find
 * something to keep apart; undefined where it is not of the known shape.
 */
export const wireResources = (resources: string, names: RouteNames): string | undefined => {
  const { thing, path } = names;
  const made = `  const [${thing}] = [${madeFor(names)}, ${madeFor(names)}];\n  await runtime.bus.idle();\n`;
  const text = replaceOnly(resources, /( {2}const made: Resources = \{)/, (begin) => `${made}${begin}`);
  return replaceOnly(
    text,
    /(const made: Resources = \{[\s\S]*?)\n {2}\};/,
    (entries) => `${entries}\n    '${path}/{id}': { id: ${thing} },\n  };`,
  );
};

/** What a person has to add to a function whose shape is not known. */
export const functionByHand = (names: RouteNames): string => {
  const { Thing, thing, things, routes, Services } = names;
  const folder = `functions/${names['group-']}`;
  return [
    `${folder}/services.ts`,
    `  import { create${Thing}Service, type ${Thing}Service, ${thing}Collection } from '${domainOf(names)}';`,
    `  in the exported type ${Services}: readonly ${things}: ${Thing}Service;`,
    `  in what createServices returns: ${creation(names)},`,
    `  and there from the runtime: ${needed.join(', ')}`,
    `${folder}/app.ts`,
    `  import { ${thing}Collection } from '${domainOf(names)}';`,
    `  import { ${routes} } from './routes/${names['route-']}.ts';`,
    `  import type { ${Services} } from './services.ts';`,
    `  in paths: '/api/v1/${names['route-']}'`,
    `  in routes: ...${routes}(services)`,
    `  in collections: ${thing}Collection`,
  ].join('\n');
};

export const eraserByHand = ({ thing, 'group-': folder }: RouteNames): string =>
  `the eraser of shared/${folder}, or shared/runtime/erasers.ts\n  in collections: ${thing}Collection`;

export const permissionsByHand = ({ 'group-': group }: RouteNames): string =>
  `shared/security/access/permissions.ts\n  in permissions: '${group}:read' and '${group}:write'`;

export const resourcesByHand = (names: RouteNames): string =>
  `tests/support/resources.ts\n  two of ${madeFor(names)}\n  in resources: '${names.path}/{id}': { id: <the first one's> }`;
