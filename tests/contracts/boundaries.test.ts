import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

const use = (from: string): string => `import { x } from '${from}';\n\nexport const y = x;\n`;

/** What stands in a file that must not, and the rule that must find it. */
const planted: Readonly<Record<string, readonly [code: string, rule: string]>> = {
  'shared/kernel/imports-a-package.ts': [use('zod'), 'noRestrictedImports'],
  'shared/kernel/imports-the-store.ts': [use('../store/store.ts'), 'noRestrictedImports'],
  'shared/store/imports-events.ts': [use('../events/bus.ts'), 'noRestrictedImports'],
  'shared/events/imports-http.ts': [use('../http/app.ts'), 'noRestrictedImports'],
  'shared/http/imports-a-domain.ts': [use('../security/index.ts'), 'noRestrictedImports'],
  'shared/http/pipeline/imports-a-domain.ts': [use('../../security/index.ts'), 'noRestrictedImports'],
  'shared/ai/predictions/imports-http.ts': [use('../../http/app.ts'), 'noRestrictedImports'],
  'shared/ai/predictions/imports-an-adapter.ts': [use('../../store/firestore.ts'), 'noRestrictedImports'],
  'shared/ai/predictions/imports-inside-a-domain.ts': [
    use('../../platform/tenants/tenant.service.ts'),
    'noRestrictedImports',
  ],
  'shared/webhooks/imports-inside-a-domain.ts': [use('../platform/tenants/tenant.service.ts'), 'noRestrictedImports'],
  'shared/webhooks/imports-a-function.ts': [use('#functions/ai/app.ts'), 'noRestrictedImports'],
  'functions/ai/routes/imports-a-service.ts': [
    use('#shared/ai/predictions/prediction.service.ts'),
    'noRestrictedImports',
  ],
  'functions/ai/routes/imports-the-store.ts': [use('#shared/store/store.ts'), 'noRestrictedImports'],
  'functions/ai/routes/imports-a-function.ts': [use('../../payments/app.ts'), 'noRestrictedImports'],
  'functions/ai/app.ts': [use('#shared/store/firestore.ts'), 'noRestrictedImports'],
  'functions/ai/services.ts': [use('../payments/services.ts'), 'noRestrictedImports'],
  'shared/ai/reads-the-environment.ts': ['export const key = process.env.KEY;\n', 'noProcessEnv'],
  'shared/ai/says-any.ts': ['export const x = (y: any): unknown => y;\n', 'noExplicitAny'],
  'shared/ai/asserts.ts': ['export const f = (y?: string): string => y!;\n', 'noNonNullAssertion'],
  'shared/ai/CamelCase.ts': ['export const x = 1;\n', 'useFilenamingConvention'],
  'shared/ai/forgets-a-promise.ts': [
    'const work = async (): Promise<number> => 1;\n\nexport const f = (): void => {\n  work();\n};\n',
    'noFloatingPromises',
  ],
  'shared/ai/cycle-a.ts': [`${use('./cycle-b.ts')}export const z = 1;\n`, 'noImportCycles'],
  'shared/ai/cycle-b.ts': [`import { z } from './cycle-a.ts';\n\nexport const x = z;\n`, 'noImportCycles'],
};

/** Imports that the rules are there to let through. */
const allowed: Readonly<Record<string, string>> = {
  'shared/events/uses-the-store.ts': use('../store/store.ts'),
  'shared/http/pipeline/uses-the-kernel.ts': use('../../kernel/errors.ts'),
  'shared/ai/predictions/uses-another-domain.ts': use('../../platform/index.ts'),
  'shared/ai/predictions/uses-its-own.ts': use('../churn/churn-model.ts'),
  'functions/ai/routes/uses-http.ts': use('#shared/http/endpoint.ts'),
  'functions/ai/routes/uses-a-domain.ts': use('#shared/ai/index.ts'),
  'functions/ai/index.ts': use('#shared/runtime/serve.ts'),
};

const report = z.object({
  diagnostics: z.array(
    z.object({ category: z.string().nullish(), location: z.object({ path: z.unknown() }).nullish() }),
  ),
});

const root = resolve(import.meta.dirname, '../..');
let folder = '';
const found = new Map<string, string[]>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'omni-boundaries-'));
  await cp(join(root, 'biome.json'), join(folder, 'biome.json'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const files = [...Object.entries(planted).map(([path, [code]]) => [path, code] as const), ...Object.entries(allowed)];
  for (const [path, code] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), code);
  }
  const arguments_ = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.'];
  const output = await new Promise<string>((answer) => {
    execFile(join(root, 'node_modules/.bin/biome'), arguments_, { cwd: folder, maxBuffer: 1e7 }, (_error, stdout) =>
      answer(stdout),
    );
  });
  for (const { category, location } of report.parse(JSON.parse(output)).diagnostics) {
    const path = z
      .union([z.string(), z.object({ file: z.string() }).transform(({ file }) => file)])
      .parse(location?.path);
    const file = path.startsWith(folder) ? path.slice(folder.length + 1) : path;
    found.set(file, [...(found.get(file) ?? []), category?.split('/').at(-1) ?? '']);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the linter', () => {
  it.each(Object.entries(planted).map(([path, [, rule]]) => [path, rule] as const))('finds in %s: %s', (path, rule) => {
    expect(found.get(path)).toContain(rule);
  });

  it.each(Object.keys(allowed))('lets %s pass', (path) => {
    expect(found.get(path) ?? []).not.toContain('noRestrictedImports');
  });
});
