import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';
import type { KeyManagement } from './key-management.ts';

const keyFileSchema = z.object({
  /** The key that wraps. */
  current: z.string(),
  /** 256-bit keys in base64, by name. Those that are not current still unwrap. */
  keys: z.record(z.string().regex(/^[\w-]{1,64}$/), z.base64().length(44)),
});
type KeyFile = z.infer<typeof keyFileSchema>;

const newKeyFile = (): KeyFile => ({ current: 'local-1', keys: { 'local-1': randomBytes(32).toString('base64') } });

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/** Written whole beside its place and then linked there, which only the first of several processes can do. */
const createOnce = async (path: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(newKeyFile(), null, 2)}\n`);
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await file.close();
    await rm(draft, { force: true });
  }
};

const readKeyFile = async (path: string): Promise<KeyFile> => {
  const file = await open(path);
  try {
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0) throw new Error(`${path} holds master keys and must be readable by its owner alone.`);
  } finally {
    await file.close();
  }
  const parsed = keyFileSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (!parsed.success || !Object.hasOwn(parsed.data.keys, parsed.data.current)) {
    throw new Error(`${path} is no file of master keys.`);
  }
  return parsed.data;
};

const load = async (path: string): Promise<KeyFile> => {
  try {
    return await readKeyFile(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await createOnce(path);
  return readKeyFile(path);
};

const pattern = /^local1\.([\w-]{1,64})\.([\w-]{16})\.([\w-]+)\.([\w-]{22})$/;
const algorithm = 'aes-256-gcm';

const invalid = (): OmniError => new OmniError('stored-data-invalid', 'A wrapped key cannot be unwrapped.');

/** The master key in a file of this machine, for development and tests. The file is made at the first use. */
export const localKeyFile = (path: string): KeyManagement => {
  let loading: Promise<KeyFile> | undefined;
  const keyNamed = async (name?: string): Promise<readonly [name: string, key: Buffer]> => {
    loading ??= load(path);
    const { current, keys } = await loading;
    const found = name ?? current;
    const key = Object.hasOwn(keys, found) ? keys[found] : undefined;
    if (key === undefined) throw invalid();
    return [found, Buffer.from(key, 'base64')];
  };
  return {
    wrap: async (plaintext, context) => {
      const [name, key] = await keyNamed();
      const iv = randomBytes(12);
      const cipher = createCipheriv(algorithm, key, iv).setAAD(Buffer.from(`${name} ${context}`));
      const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      return ['local1', name, ...[iv, sealed, cipher.getAuthTag()].map((one) => one.toString('base64url'))].join('.');
    },
    unwrap: async (wrapped, context) => {
      const [, name = '', ...parts] = pattern.exec(wrapped) ?? [];
      const [iv, sealed, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
      if (iv === undefined || sealed === undefined || tag === undefined) throw invalid();
      const [, key] = await keyNamed(name);
      try {
        const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: 16 });
        decipher.setAAD(Buffer.from(`${name} ${context}`)).setAuthTag(tag);
        return Buffer.concat([decipher.update(sealed), decipher.final()]);
      } catch {
        throw invalid();
      }
    },
    close: async () => {},
  };
};
