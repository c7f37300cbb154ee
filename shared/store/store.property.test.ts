import { it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { embeddedDatabase } from './embedded.ts';
import { compareAdapters } from './store.property.ts';

const seed = 20_260_101;

it(`answers alike on Firestore and embedded, whatever is asked (seed ${seed})`, async () => {
  await compareAdapters([testDatabase, embeddedDatabase], { runs: 60, seed, length: 12 });
});
