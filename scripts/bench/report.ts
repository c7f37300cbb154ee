import { availableParallelism } from 'node:os';
import { isMet, type Row } from './measure.ts';
import type { SelfTime } from './profile.ts';

const number = (value: number): string => value.toFixed(value < 100 ? 1 : 0);

const barOf = ({ bar }: Row): string => {
  if (bar === undefined) return '—';
  return 'atMost' in bar ? `≤ ${bar.atMost.toFixed(1)}` : `≥ ${bar.atLeast.toFixed(1)}`;
};

const metOf = (row: Row): string => ({ true: 'yes', false: '**no**', undefined: '—' })[`${isMet(row)}`];

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** The table that is printed, and stands on the page. */
export const rowTable = (rows: readonly Row[]): string =>
  table(
    ['What', 'Ours', 'Baseline', 'Ratio', 'Bar', 'Met'],
    rows.map((row) => [
      row.name,
      `${number(row.ours)} ${row.unit}`,
      `${number(row.baseline)} ${row.unit}`,
      row.ratio.toFixed(2),
      barOf(row),
      metOf(row),
    ]),
  );

export interface ProfileSummary {
  readonly requests: number;
  readonly schemaBuilding: number;
  /** The same from the start of the process, where schemas are built: shows that the profile sees them. */
  readonly withStart: number;
  readonly top: readonly SelfTime[];
}

/** What authenticated requests whose principal is known read from the store. */
export interface HotPath {
  readonly requests: number;
  readonly reads: number;
  /** Reads of the rate limits' counters, by which a lease is taken. */
  readonly leases: number;
}

export const hotPathLine = ({ requests, reads, leases }: HotPath): string =>
  `${requests} warm requests with an access token read ${reads} documents from the store, and ${leases} counters of rate limits to lease from.`;

const boundOf = (row: Row): string =>
  isMet(row) === false ? ` **Not met:** ${row.bound ?? 'nothing is known to bound it.'}` : '';

const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.01 ? 2 : 1)} %`;

export const page = (
  rows: readonly Row[],
  { requests, schemaBuilding, withStart, top }: ProfileSummary,
  hotPath: HotPath,
): string => `# How fast

Made by \`npm run bench\`; not to be edited. ${new Date().toISOString().slice(0, 10)}, Node ${process.version},
${availableParallelism()} cores, which the emulators, the load and what is measured share.

${rowTable(rows)}

Each ratio is against a baseline that was measured in the same run, in turn with ours. Absolute numbers say little:
they are of one machine on one day, on emulators.

${rows.map((row) => `- **${row.name}.** ${row.how}${boundOf(row)}`).join('\n')}

## Nothing is read per request

Counted below the store port, on Firestore's emulator: ${hotPathLine(hotPath)}

## Nothing is built per request

A CPU profile of the built \`ai\` function, warm, while it answered ${requests} requests: validated POSTs that store, and
GETs of \`/openapi.json\`. Building schemas (zod's constructors), generating JSON Schema and assembling the OpenAPI
document took ${percent(schemaBuilding)} of the busy time (${percent(withStart)} where the start of the process counts
too: that is when it happens). The ten functions with the most self time:

${table(
  ['Function', 'Module', 'Self time'],
  top.map(({ function: name, module, share }) => [
    `\`${name}\``,
    module === '' ? 'native' : `\`${module}\``,
    percent(share),
  ]),
)}
`;
