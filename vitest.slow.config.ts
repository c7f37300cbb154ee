import { defineConfig } from 'vitest/config';

/** Longer runs of the same kind: `npm run test:slow`. */
export default defineConfig({
  test: {
    include: ['{functions,shared,scripts,tests}/**/*.slow.test.ts'],
    globalSetup: 'tests/support/global-setup.ts',
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
