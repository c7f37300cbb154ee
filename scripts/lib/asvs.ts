import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { root } from './functions.ts';

const what = z.string().min(1).meta({ description: 'The requirement in a few words of ours.' });
const explained = <S extends string>(status: S) =>
  z.strictObject({ what, status: z.literal(status), note: z.string().min(1) });

/** How we stand to one requirement. */
const entrySchema = z.discriminatedUnion('status', [
  /** A test proves it: its file, and its name as it stands there. */
  z.strictObject({ what, status: z.literal('test'), file: z.string(), test: z.string(), note: z.string().optional() }),
  explained('reasoned'),
  explained('by configuration'),
  explained('not applicable'),
  explained('not met'),
  /** To be met by what is under way, in `expected`. */
  explained('pending').extend({ expected: z.string() }),
]);
export type AsvsEntry = z.infer<typeof entrySchema>;

/** By the requirement's number, in order. */
const asvsSchema = z.record(z.string().regex(/^\d+\.\d+\.\d+$/), entrySchema);
export type Asvs = z.infer<typeof asvsSchema>;

export const asvsSource = 'docs/security/asvs.json';

/** Throws where the file is not as it should be. */
export const readAsvs = async (): Promise<Asvs> =>
  asvsSchema.parse(JSON.parse(await readFile(join(root, asvsSource), 'utf8')));

const chapters: Readonly<Record<string, string>> = {
  '1': 'Encoding and sanitisation',
  '2': 'Validation and business logic',
  '3': 'Web front end',
  '4': 'API and web service',
  '5': 'Files',
  '6': 'Authentication',
  '7': 'Sessions',
  '8': 'Authorisation',
  '9': 'Self-contained tokens',
  '10': 'OAuth and OIDC',
  '11': 'Cryptography',
  '12': 'Secure communication',
  '13': 'Configuration',
  '14': 'Data protection',
  '15': 'Secure coding and architecture',
  '16': 'Logging and errors',
  '17': 'WebRTC',
};

const cell = (text: string): string => text.replaceAll('|', '\\|');

const proofOf = (entry: AsvsEntry): string => {
  if (entry.status === 'test') return `[${cell(entry.test)}](../../${entry.file})`;
  return `${entry.status === 'not met' ? '**not met:**' : `_${entry.status}:_`} ${cell(entry.note)}`;
};

const chapterOf = (id: string): string => id.split('.')[0] ?? '';

const statuses = ['test', 'reasoned', 'by configuration', 'not applicable', 'pending', 'not met'] as const;

/** The page that people read. */
export const asvsPage = (asvs: Asvs): string => {
  const entries = Object.entries(asvs);
  const count = (status: AsvsEntry['status']) => entries.filter(([, entry]) => entry.status === status).length;
  const tables = [...Map.groupBy(entries, ([id]) => chapterOf(id))].map(([chapter, those]) =>
    [
      `## ${chapter}. ${chapters[chapter] ?? ''}\n`,
      '| | what it asks for | proof |\n|---|---|---|',
      ...those.map(([id, entry]) => `| ${id} | ${cell(entry.what)} | ${proofOf(entry)} |`),
    ].join('\n'),
  );
  return `# OWASP ASVS 5.0, levels 1 and 2

Made from [asvs.json](asvs.json) by \`npm run manifest\`; not to be edited. Every requirement of the two levels has a line:
the test that proves it, or why it needs none. The wording is ours and short; the requirements themselves are
[OWASP's](https://github.com/OWASP/ASVS/tree/v5.0.0). \`tests/contracts/asvs.test.ts\` fails on a requirement without a
line, a line without a requirement, and a test that is not there.

| ${statuses.join(' | ')} |
|${statuses.map(() => '---').join('|')}|
| ${statuses.map(count).join(' | ')} |

${tables.join('\n\n')}
`;
};
