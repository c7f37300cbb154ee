import { expect, it } from 'vitest';
import { encryptedCollections } from '#functions/security/services.ts';
import { loadFunctions } from '#scripts/lib/functions.ts';
import { encryptedFieldsOf } from '#shared/store/encrypted-field.ts';

it('is renewed by rotation in every collection that declares encrypted fields', async () => {
  const functions = await loadFunctions();
  const declaring = functions
    .flatMap(({ definition }) => definition.collections)
    .filter(({ schema }) => schema !== undefined && encryptedFieldsOf(schema).length > 0);
  expect(declaring.map(({ name }) => name)).toContain('secretValues');
  expect(encryptedCollections.map(({ name }) => name).sort()).toEqual(
    [...new Set(declaring.map(({ name }) => name))].sort(),
  );
});
