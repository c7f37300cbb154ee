import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { auditRootSchema } from '#shared/security/audit/audit-chain.ts';
import { verifyExport } from './lib/audit/verify-export.ts';

const usage = 'Usage: npm run audit:verify -- FILE… [--root ROOT.json]…   The files of one export, in order.';

/** 0 when all is as it was sealed, 1 when it is not, 2 when that can't be told. */
const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { root: { type: 'string', multiple: true } },
  });
  if (positionals.length === 0) {
    console.error(usage);
    return 2;
  }
  const roots = await Promise.all(
    (values.root ?? []).map(async (path) => auditRootSchema.parse(JSON.parse(await readFile(path, 'utf8')))),
  );
  const files = positionals.map((name) => ({
    name,
    lines: createInterface({ input: createReadStream(name), crlfDelay: Number.POSITIVE_INFINITY }),
  }));
  const report = await verifyExport(files, roots);
  if (report.problem !== undefined) {
    console.error(`BROKEN  ${report.problem}`);
    return 1;
  }
  const { tenant, after, to, entries, unsealed, tree } = report;
  console.log(
    `INTACT  ${entries} entries of ${tenant} in segments ${after + 1} to ${to}, ${unsealed} more not sealed.`,
  );
  if (after > 0) console.log(`        What comes before segment ${after + 1} is not in these files.`);
  console.log(`        Merkle root ${tree}; ${report.roots} of ${roots.length} kept roots compared.`);
  return 0;
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
