import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Clock } from '#shared/kernel/clock.ts';
import { keyRingCollection } from '#shared/security/encryption/data-key.schema.ts';
import {
  createFieldEncryption,
  type FieldEncryption,
  type FieldEncryptionOptions,
} from '#shared/security/encryption/field-encryption.ts';
import type { KeyManagement } from '#shared/security/encryption/key-management.ts';
import { createKeyRings, type KeyRings } from '#shared/security/encryption/key-rings.ts';
import { localKeyFile } from '#shared/security/encryption/local-key-file.ts';
import type { Database } from '#shared/store/store.ts';

/** A path for a key file that is deleted after the file's last test. */
export const temporaryKeyFile = (): string => {
  const path = join(tmpdir(), `omni-keys-${randomUUID()}.json`);
  afterAll(() => rmSync(path, { force: true }));
  return path;
};

/** Key management that counts its calls. */
export const countingManagement = () => {
  const keys = localKeyFile(temporaryKeyFile());
  const calls = { wrap: 0, unwrap: 0 };
  const management: KeyManagement = {
    wrap: (key, context) => {
      calls.wrap += 1;
      return keys.wrap(key, context);
    },
    unwrap: (wrapped, context) => {
      calls.unwrap += 1;
      return keys.unwrap(wrapped, context);
    },
    close: keys.close,
  };
  return { management, calls };
};

export interface EncryptedDatabase {
  readonly database: Database;
  readonly keys: KeyRings;
  readonly fields: FieldEncryption;
}

/** A database whose declared fields are encrypted, as the runtime makes one. */
export const encryptedDatabase = (
  open: (wrap: FieldEncryption['wrap']) => Database,
  {
    management,
    clock,
    ...options
  }: { management: KeyManagement; clock: Clock } & Pick<FieldEncryptionOptions, 'fieldsOf'>,
): EncryptedDatabase => {
  const rings = { of: (tenant: string) => database.tenants(keyRingCollection).of(tenant) };
  const keys = createKeyRings({ rings, management, clock });
  const fields = createFieldEncryption({ keys, ...options });
  const database = open(fields.wrap);
  return { database, keys, fields };
};
