import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { loadFunctions, root } from '../functions.ts';
import type { RouteNames } from './names.ts';
import { renderTemplate } from './templates.ts';
import {
  eraserByHand,
  functionByHand,
  permissionsByHand,
  resourcesByHand,
  servicesTypeOf,
  wireApp,
  wireEraser,
  wireErasers,
  wirePermissions,
  wireResources,
  wireServices,
} from './wiring.ts';

export interface RoutePlan {
  /** Content by path, relative to the repository. */
  readonly files: ReadonlyMap<string, string>;
  /** Exactly what is to be added where a file has a shape of its own. */
  readonly byHand: readonly string[];
}

const textOf = (path: string): Promise<string | undefined> => readFile(join(root, path), 'utf8').catch(() => undefined);

const openApi = z.object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) });

/** Throws where the route would clash with what there is. */
const refuseClashes = async ({ Thing, things, 'route-': route }: RouteNames): Promise<void> => {
  const definitions = (await loadFunctions()).map(({ definition }) => definition);
  const prefix = `/api/v1/${route}`;
  const server = definitions.find(({ paths }) => paths.includes(prefix));
  if (server !== undefined) throw new Error(`functions/${server.name} serves ${prefix} already.`);
  const keeper = definitions.find(({ collections }) => collections.some(({ name }) => name === things));
  if (keeper !== undefined) {
    throw new Error(`functions/${keeper.name} has a collection ${things} already; choose another --thing.`);
  }
  const { schemas } = openApi.parse(JSON.parse(await readFile(join(root, 'docs/openapi.json'), 'utf8'))).components;
  const schema = [Thing, `${Thing}Input`].find((name) => Object.hasOwn(schemas, name));
  if (schema !== undefined) throw new Error(`The API has a schema ${schema} already; choose another --thing.`);
};

const eraserOf = ({ 'group-': group }: RouteNames): string => `shared/${group}/${group}.eraser.ts`;

/** Every file that makes up the route, none of which is there yet. */
const newFiles = async (names: RouteNames, newGroup: boolean): Promise<Map<string, string>> => {
  const domain = `shared/${names['group-']}/${names['route-']}/${names['thing-']}`;
  const folder = `functions/${names['group-']}`;
  const templates = new Map([
    [`${domain}.schema.ts`, 'schema.ts'],
    [`${domain}.events.ts`, 'events.ts'],
    [`${domain}.service.ts`, 'service.ts'],
    [`${domain}.service.test.ts`, 'service.test.ts'],
    [`${folder}/routes/${names['route-']}.ts`, 'routes.ts'],
    [`${folder}/routes/${names['route-']}.test.ts`, 'routes.test.ts'],
  ]);
  if (newGroup) {
    for (const file of ['index.ts', 'app.ts', 'services.ts']) templates.set(`${folder}/${file}`, file);
    templates.set(eraserOf(names), 'eraser.ts');
  }
  const files = new Map<string, string>();
  for (const [path, template] of templates) {
    if ((await textOf(path)) !== undefined) throw new Error(`${path} is there already; nothing was written.`);
    files.set(path, await renderTemplate(template, names));
  }
  return files;
};

/** What the new route writes. Throws one clear line where it can't be made; nothing is written here. */
export const planRoute = async (asked: RouteNames): Promise<RoutePlan> => {
  const folder = `functions/${asked['group-']}`;
  const paths = {
    app: `${folder}/app.ts`,
    services: `${folder}/services.ts`,
    permissions: 'shared/security/access/permissions.ts',
    resources: 'tests/support/resources.ts',
  };
  const [app, services, permissions, resources] = await Promise.all([
    textOf(paths.app),
    textOf(paths.services),
    textOf(paths.permissions).then((text) => text ?? ''),
    textOf(paths.resources).then((text) => text ?? ''),
  ]);
  const newGroup = app === undefined && services === undefined;
  const names = { ...asked, Services: (app && servicesTypeOf(app)) ?? asked.Services };
  const files = await newFiles(names, newGroup);
  await refuseClashes(names);
  const index = `shared/${names['group-']}/index.ts`;
  const exported = ['domain-index.ts', ...(newGroup ? ['domain-eraser.ts'] : [])];
  const lines = await Promise.all(exported.map((template) => renderTemplate(template, names)));
  files.set(index, [(await textOf(index)) ?? '', ...lines].join(''));

  const byHand: string[] = [];
  const put = (path: string, before: string, wired: string | undefined, otherwise: string): void => {
    if (wired === undefined) byHand.push(otherwise);
    else if (wired !== before) files.set(path, wired);
  };
  const erasing = newGroup ? 'shared/runtime/erasers.ts' : eraserOf(names);
  const eraser = (await textOf(erasing)) ?? '';
  put(erasing, eraser, newGroup ? wireErasers(eraser, names) : wireEraser(eraser, names), eraserByHand(names));
  if (!newGroup) {
    const wired = [wireApp(app ?? '', names), wireServices(services ?? '', names)] as const;
    if (wired[0] === undefined || wired[1] === undefined) byHand.push(functionByHand(names));
    else files.set(paths.app, wired[0]).set(paths.services, wired[1]);
  }
  put(paths.permissions, permissions, wirePermissions(permissions, names), permissionsByHand(names));
  put(paths.resources, resources, wireResources(resources, names), resourcesByHand(names));
  return { files, byHand };
};
