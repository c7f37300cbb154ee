import { configDefaults, defineConfig } from 'vitest/config';

/** They mock a module, or measure the memory of their process, and so want one of their own. */
const alone = ['shared/blobs/{cloud-storage,local-disk}.test.ts', 'shared/security/api-keys/api-key.service.test.ts'];

const exclude = [...configDefaults.exclude, '**/*.slow.test.ts'];
/** Of a machine on which everything else runs as well. */
const patience = { testTimeout: 60_000, hookTimeout: 90_000 };

export default defineConfig({
  test: {
    globalSetup: 'tests/support/global-setup.ts',
    // The emulators work while the tests wait for them, so more workers than this only take turns.
    maxWorkers: 2,
    projects: [
      {
        // A process for many files: what they import is loaded once.
        test: {
          name: 'together',
          include: ['{functions,shared,scripts,tests}/**/*.test.ts'],
          exclude: [...exclude, ...alone],
          isolate: false,
          ...patience,
        },
      },
      { test: { name: 'alone', include: alone, exclude, ...patience } },
    ],
  },
});
