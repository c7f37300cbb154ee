import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { keyManagementContract } from './key-management.contract.ts';
import { localKeyFile } from './local-key-file.ts';

const folder = await mkdtemp(join(tmpdir(), 'omni-keys-'));
keyManagementContract('a local key file', () => localKeyFile(join(folder, 'deep', 'keys.json')));

const newFolder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'omni-keys-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
};

it('is readable by its owner alone, and refuses to work when it is not', async () => {
  const path = join(await newFolder(), 'keys.json');
  const wrapped = await localKeyFile(path).wrap(Buffer.from('key'), 'a');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await chmod(path, 0o640);
  await expect(localKeyFile(path).unwrap(wrapped, 'a')).rejects.toThrow('by its owner alone');
});

it('is made once by several processes that begin at once, and leaves nothing else behind', async () => {
  const directory = await newFolder();
  const path = join(directory, 'keys.json');
  const script = `
    const { localKeyFile } = await import(${JSON.stringify(join(import.meta.dirname, 'local-key-file.ts'))});
    const keys = localKeyFile(process.argv[1]);
    const made = await Promise.all(Array.from({ length: 5 }, () => keys.wrap(Buffer.from('key'), 'a')));
    console.log(made[0]);`;
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, '--', path]),
    ),
  );
  const keys = localKeyFile(path);
  for (const { stdout } of outputs) {
    expect(Buffer.from(await keys.unwrap(stdout.trim(), 'a')).toString()).toBe('key');
  }
  expect(await readdir(directory)).toEqual(['keys.json']);
});

it('still unwraps what an earlier master key wrapped', async () => {
  const path = join(await newFolder(), 'keys.json');
  const wrapped = await localKeyFile(path).wrap(Buffer.from('key'), 'a');
  const file = JSON.parse(await readFile(path, 'utf8'));
  file.keys['local-2'] = Buffer.alloc(32, 7).toString('base64');
  await writeFile(path, JSON.stringify({ ...file, current: 'local-2' }));
  const keys = localKeyFile(path);
  expect(Buffer.from(await keys.unwrap(wrapped, 'a')).toString()).toBe('key');
  expect(await keys.wrap(Buffer.from('key'), 'a')).toContain('local-2');
});

it('says what is wrong with a broken file, and does not write over it', async () => {
  const path = join(await newFolder(), 'keys.json');
  await writeFile(path, '{"current":"a","keys":{}}', { mode: 0o600 });
  await expect(localKeyFile(path).wrap(Buffer.from('key'), 'a')).rejects.toThrow('no file of master keys');
  expect(await readFile(path, 'utf8')).toBe('{"current":"a","keys":{}}');
});
