import {
  type AuditProblem,
  type AuditRoot,
  checkRoots,
  checkSegment,
  problem,
} from '#shared/security/audit/audit-chain.ts';
import type { AuditContent } from '#shared/security/audit/audit-entry.schema.ts';
import { type AuditLine, auditLineSchema } from '#shared/security/audit/audit-export.schema.ts';
import {
  type AuditSegment,
  type ChainState,
  genesis,
  stateAfter,
} from '#shared/security/audit/audit-segment.schema.ts';
import { rootOf } from '#shared/security/audit/merkle.ts';

/** One file of an export, line by line. */
export interface ExportFile {
  readonly name: string;
  readonly lines: AsyncIterable<string>;
}

export type ExportReport =
  | { readonly problem: string; readonly found?: AuditProblem }
  | {
      readonly problem?: never;
      readonly tenant: string;
      /** The segment that the first file continues; what comes before is taken on trust. 0 for the whole log. */
      readonly after: number;
      readonly to: number;
      readonly entries: number;
      readonly unsealed: number;
      readonly tree: string;
      readonly roots: number;
    };

const stateOf = ({ sequence, size, hash, frontier }: Extract<AuditLine, { kind: 'header' }>['base']): ChainState => ({
  sequence,
  size,
  hash,
  frontier: { size, nodes: frontier },
});

const isSame = (a: ChainState, b: ChainState): boolean =>
  a.sequence === b.sequence && a.size === b.size && a.hash === b.hash && rootOf(a.frontier) === rootOf(b.frontier);

/** Follows the lines and keeps one segment in memory. Throws what is wrong. */
const createFollower = (roots: readonly AuditRoot[]) => {
  let tenant: string | undefined;
  let after = 0;
  let state: ChainState | undefined;
  let open: { segment: AuditSegment; entries: Map<string, AuditContent> } | undefined;
  let hasEnded = true;
  let isLast = false;
  let [entries, unsealed, compared] = [0, 0, 0];

  const close = (): void => {
    if (open === undefined || state === undefined || tenant === undefined) return;
    const found = checkSegment(tenant, state, open.segment, open.entries) ?? checkRoots(roots, open.segment);
    if (found !== undefined) throw found;
    compared += roots.filter(({ sequence }) => sequence === open?.segment.sequence).length;
    entries += open.segment.ids.length;
    state = stateAfter(open.segment);
    open = undefined;
  };

  const begin = (line: Extract<AuditLine, { kind: 'header' }>): void => {
    const base = stateOf(line.base);
    if (base.sequence === 0 && !isSame(base, genesis)) throw problem('segment-changed', 0);
    if (state === undefined) after = base.sequence;
    else if (!isSame(state, base) || tenant !== line.tenant) throw problem('segment-missing', state.sequence + 1);
    if (!hasEnded) throw problem('truncated', base.sequence);
    tenant = line.tenant;
    state = base;
    hasEnded = false;
  };

  const add = (sequence: number, { kind: _, id, ...content }: Extract<AuditLine, { kind: 'entry' }>): void => {
    if (open === undefined || open.entries.has(id)) throw problem('entry-inserted', sequence, id);
    open.entries.set(id, content);
  };

  const take = (line: AuditLine): void => {
    if (line.kind === 'header') {
      begin(line);
      return;
    }
    if (hasEnded || state === undefined) throw problem('truncated', state?.sequence ?? 0);
    if (line.kind === 'segment') {
      close();
      const { kind: _, ...segment } = line;
      open = { segment, entries: new Map() };
    } else if (line.kind === 'entry') {
      add(state.sequence, line);
    } else if (line.kind === 'unsealed') {
      close();
      unsealed += 1;
    } else {
      close();
      const { sequence, size, hash } = state;
      if (line.sequence !== sequence || line.size !== size || line.hash !== hash) throw problem('truncated', sequence);
      hasEnded = true;
      isLast = line.last;
    }
  };

  const end = (): ExportReport => {
    if (tenant === undefined || state === undefined) return { problem: 'There is nothing in it.' };
    const { sequence, frontier } = state;
    const beyond = roots.some((root) => root.sequence > sequence);
    if (!hasEnded || !isLast || beyond) throw problem('truncated', sequence);
    return { tenant, after, to: sequence, entries, unsealed, tree: rootOf(frontier), roots: compared };
  };
  return { take, end };
};

const isProblem = (error: unknown): error is AuditProblem =>
  typeof error === 'object' && error !== null && 'code' in error && 'segment' in error && 'entry' in error;

const parseLine = (text: string): AuditLine | undefined => {
  try {
    return auditLineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** Recomputes every hash of an export, from its files alone, and says what is wrong first. */
export const verifyExport = async (
  files: readonly ExportFile[],
  roots: readonly AuditRoot[] = [],
): Promise<ExportReport> => {
  const follower = createFollower(roots);
  let where = '';
  try {
    for (const { name, lines } of files) {
      let number = 0;
      for await (const text of lines) {
        number += 1;
        where = `${name}, line ${number}`;
        const line = parseLine(text);
        if (line === undefined) return { problem: `${where} is no line of an export.` };
        follower.take(line);
      }
    }
    return follower.end();
  } catch (error) {
    if (!isProblem(error)) throw error;
    const what = error.entry === null ? `Segment ${error.segment}` : `Entry ${error.entry} in segment ${error.segment}`;
    return { problem: `${what}: ${error.message} (${where})`, found: error };
  }
};
