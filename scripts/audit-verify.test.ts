import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { systemActor } from '#shared/kernel/actor.ts';
import { embeddedDatabase } from '#shared/store/embedded.ts';
import { auditingOn, temporaryFolder } from '#tests/support/auditing.ts';

const folder = await temporaryFolder();
const log = auditingOn(embeddedDatabase({}), folder);
for (let i = 0; i < 5; i += 1) await log.record(i);
await log.sealer.seal('acme', 1);
const root = await log.auditRoots.keep('acme', '2026-01-01');
const { id } = await log.auditService.startExport(systemActor('acme', 'auditor'), 0);
const stored = await log.auditExports.of('acme').get(id);
if (stored === undefined) throw new Error('There is no export.');
const { part } = await log.writeAuditPart('acme', id, stored.value, new AbortController().signal);
const body = await text((await log.blobs.of('acme').read(part.key)).body);

const run = async (...args: string[]) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'audit-verify.ts'), ...args]);
  const [out, error, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => {
      child.once('close', resolve);
    }),
  ]);
  return { out, error, code };
};
const file = async (name: string, content: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};

describe('npm run audit:verify', () => {
  it('says that a log is whole, against the root of a day', async () => {
    const kept = await file('root.json', JSON.stringify(root));
    const { out, code } = await run(await file('whole.jsonl', body), '--root', kept);
    expect(out).toContain('INTACT  5 entries of acme in segments 1 to 1, 1 more not sealed.');
    expect(out).toContain(`Merkle root ${root?.tree}; 1 of 1 kept roots compared.`);
    expect(code).toBe(0);
  });

  it('names the first entry that was changed', async () => {
    const line = body.split('\n').find((one) => one.includes('\\"number\\":2')) ?? '';
    const entry = /"kind":"entry","id":"(\w+)"/.exec(line)?.[1];
    const { error, code } = await run(await file('forged.jsonl', body.replace('\\"number\\":2', '\\"number\\":9')));
    expect(entry).toBeDefined();
    expect(error).toContain(`BROKEN  Entry ${entry} in segment 1: The entry is not what was sealed.`);
    expect(code).toBe(1);
  });

  it('says what it can not read', async () => {
    expect(await run()).toMatchObject({ code: 2, error: expect.stringContaining('Usage') });
    expect(await run(join(folder, 'none.jsonl'))).toMatchObject({ code: 2 });
    expect(await run(await file('other.txt', 'hello\n'))).toMatchObject({ code: 1 });
  });
});
