import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyTree } from '#tests/support/tree-copy.ts';
import { root } from './lib/functions.ts';
import { routeNames } from './lib/new-route/names.ts';
import { renderTemplate } from './lib/new-route/templates.ts';
import { wireApp, wirePermissions, wireResources, wireServices } from './lib/new-route/wiring.ts';

describe('the names of a route', () => {
  it('are made from its group, route and thing', () => {
    expect(routeNames('business', 'monetization', 'price-experiment')).toEqual({
      group: 'business',
      thing: 'priceExperiment',
      things: 'priceExperiments',
      routes: 'monetization',
      Thing: 'PriceExperiment',
      Services: 'BusinessServices',
      'group-': 'business',
      'route-': 'monetization',
      'thing-': 'price-experiment',
      'thing words': 'price experiment',
      'things words': 'price experiments',
      'a thing': 'a price experiment',
      'A thing': 'A price experiment',
      prefix: 'pric',
      path: '/api/v1/monetization/price-experiments',
    });
  });

  it.each([
    ['tickets', undefined, 'ticket', '/api/v1/tickets'],
    ['policies', undefined, 'policy', '/api/v1/policies'],
    ['access', undefined, 'access', '/api/v1/access/accesses'],
    ['gdpr', 'breach', 'breach', '/api/v1/gdpr/breaches'],
    ['security', 'key', 'key', '/api/v1/security/keys'],
  ])('of the route %s and the thing %s: %s at %s', (route, given, thing, path) => {
    expect(routeNames('support', route, given)).toMatchObject({ thing, path });
  });

  it('keep the function and a route of its name apart', () => {
    expect(routeNames('payments', 'payments')).toMatchObject({ group: 'payments', routes: 'paymentsRoutes' });
  });

  it.each([
    ['Support', 'tickets', undefined, 'no name for a group'],
    ['support', '../tickets', undefined, 'no name for a route'],
    ['support', 'tickets', 'big ticket', 'no name for a thing'],
    ['support', 'x'.repeat(41), undefined, 'no name for a route'],
    ['kernel', 'tickets', undefined, 'kept for the ground'],
    ['webhooks', 'tickets', undefined, 'kept for the ground'],
    ['support', 'new', undefined, '"new" is a word of the language'],
  ])('are refused for %s, %s, %s', (group, route, thing, message) => {
    expect(() => routeNames(group, route, thing)).toThrow(message);
  });

  it('are refused where the generated code would have one twice', async () => {
    const names = routeNames('support', 'pages', 'page');
    await expect(renderTemplate('service.ts', names)).rejects.toThrow('needs the name Page for something else');
    await expect(renderTemplate('routes.ts', routeNames('support', 'list', 'order'))).rejects.toThrow('name list');
    await expect(renderTemplate('routes.ts', routeNames('support', 'orders'))).resolves.toContain('orderViewSchema');
  });
});

describe('a file that has a shape of its own', () => {
  const names = routeNames('support', 'tickets');

  it.each([
    ['app.ts', wireApp],
    ['services.ts', wireServices],
    ['permissions.ts', wirePermissions],
    ['resources.ts', wireResources],
  ])('is left alone: %s', (_name, wire) => {
    expect(wire('export const everything = build();\n', names)).toBeUndefined();
  });
});

/** What is as it is in the repository is type-checked there; here it only gives its types, which is much faster. */
const leaveUnchecked = async (folder: string): Promise<void> => {
  for await (const path of glob('{functions,shared,scripts,tests}/**/*.ts', { cwd: folder })) {
    const text = await readFile(join(folder, path), 'utf8');
    const original = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (text === original) await writeFile(join(folder, path), `// @ts-nocheck\n${text}`);
  }
};

describe('npm run new:route', async () => {
  const tree = await copyTree();
  const newRoute = (...args: readonly string[]) => tree.succeed('node', 'scripts/new-route.ts', ...args);
  const textOf = (path: string) => readFile(join(tree.folder, path), 'utf8');

  it('adds routes to new and to existing functions, and they lint and type-check', async () => {
    await newRoute('library', 'lending', '--thing', 'book');
    await newRoute('library', 'reading-rooms');
    await newRoute('ai', 'ai-guides', '--thing', 'guide');
    await newRoute('payments', 'gift-cards');
    expect(await textOf('functions/library/app.ts')).toContain('[...lending(services), ...readingRooms(services)]');
    expect(await textOf('infra/manifest.json')).toContain('"/api/v1/gift-cards"');
    expect(await textOf('shared/runtime/erasers.ts')).toContain('libraryEraser');
    expect(await textOf('shared/payments/payments.eraser.ts')).toContain('giftCardCollection');
    expect(await textOf('tests/support/resources.ts')).toContain("'/api/v1/lending/books/{id}': { id: book }");
    const permissions = await textOf('shared/security/access/permissions.ts');
    for (const scope of ['library:read', 'library:write', 'ai:read', 'ai:write', 'payments:read', 'payments:write']) {
      expect([scope, permissions.split(`'${scope}': {`).length - 1]).toEqual([scope, 1]);
    }
    const touched = [
      'functions',
      'shared/library',
      'shared/ai',
      'shared/payments',
      'shared/runtime',
      'tests/support',
    ].concat(['shared/security/access']);
    await tree.succeed('biome', 'check', ...touched);
    await leaveUnchecked(tree.folder);
    const project = JSON.stringify({ extends: './tsconfig.json', include: touched });
    await writeFile(join(tree.folder, 'tsconfig.touched.json'), project);
    await tree.succeed('tsc', '--project', 'tsconfig.touched.json');
  }, 180_000);

  it.each([
    [['library', 'lending', '--thing', 'book'], 'book.schema.ts is there already; nothing was written.\n'],
    [['library', 'shop', '--thing', 'gift-card'], 'functions/payments has a collection giftCards already'],
    [['library', 'stripe'], 'functions/payments serves /api/v1/stripe already.\n'],
    [['library', 'shop', '--thing', 'churn-rollup'], 'The API has a schema ChurnRollup already'],
    [['library'], 'Usage: npm run new:route'],
    [['library', 'shop', '--colour', 'red'], 'Usage: npm run new:route'],
  ])('refuses %j in one line', async (args, message) => {
    const { code, output } = await tree.run('node', 'scripts/new-route.ts', ...args);
    expect(code).toBe(1);
    expect(output).toContain(message);
    expect(output.trimEnd().split('\n')).toHaveLength(1);
  });
});
