import { it } from 'vitest';
import { copyTree } from '#tests/support/tree-copy.ts';

it('what npm run new:route writes passes its own tests, and those of every route', async () => {
  const tree = await copyTree();
  await tree.succeed('node', 'scripts/new-route.ts', 'library', 'lending', '--thing', 'book');
  await tree.succeed('node', 'scripts/new-route.ts', 'library', 'reading-rooms');
  await tree.succeed('node', 'scripts/new-route.ts', 'ai', 'ai-guides', '--thing', 'guide');
  await tree.succeed('node', 'scripts/new-route.ts', 'payments', 'gift-cards');
  const tests = ['shared/library', 'shared/ai/ai-guides', 'shared/payments/gift-cards', 'functions', 'tests/api'];
  tests.push('shared/security/access');
  await tree.succeed('vitest', 'run', ...tests);
});
