import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../functions.ts';
import type { RouteNames } from './names.ts';

const folder = join(root, 'scripts/templates/route');

/** Identifiers, without those that are keys or properties, and without comments and strings. */
const identifiersIn = (code: string): string[] =>
  code
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|"[^"\n]*"|`[^`]*`/g, ' ')
    .replace(/\.\w+|\b\w+\??:/g, ' ')
    .match(/[A-Za-z_]\w*/g) ?? [];

const placeholder = /\{\{([\w -]+)\}\}/g;

const fill = (template: string, names: RouteNames): string => {
  const values = new Map<string, string>(Object.entries(names));
  return template.replace(placeholder, (all, key) => {
    const value = values.get(key);
    if (value === undefined) throw new Error(`No value for ${all}.`);
    return value;
  });
};

/**
 * The file that a template makes. Throws where a name that is made from the given ones is already that of something
 * else in it: a thing called `page` would need a second `pageSchema`.
 */
export const renderTemplate = async (name: string, names: RouteNames): Promise<string> => {
  const template = await readFile(join(folder, `${name}.txt`), 'utf8');
  const own = new Set(identifiersIn(template.replace(/\w*(?:\{\{[\w -]+\}\}\w*)+/g, ' ')));
  const made = template.match(/\w*(?:\{\{[\w]+\}\}\w*)+/g) ?? [];
  const taken = made.map((part) => fill(part, names)).find((part) => own.has(part));
  if (taken !== undefined)
    throw new Error(`The code needs the name ${taken} for something else; choose another thing.`);
  return fill(template, names);
};
