import { Readable } from 'node:stream';
import type { BlobStore } from '../../blobs/blobs.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { AuditReader, StoredSegment } from './audit.reader.ts';
import { auditContentSchema } from './audit-entry.schema.ts';
import type { AuditExport, AuditLine } from './audit-export.schema.ts';
import { type ChainState, stateAfter } from './audit-segment.schema.ts';

const contentType = 'application/jsonl';

export interface AuditExporterOptions {
  readonly reader: Pick<AuditReader, 'walk' | 'stateAt' | 'unsealed'>;
  readonly blobs: BlobStore;
  /** Entries of a part: one run of the job. */
  readonly partSize?: number;
}

export const partKey = (id: string, part: number): string =>
  `audit/exports/${id}/part-${String(part).padStart(5, '0')}.jsonl`;

const segmentLines = function* ({ segment, entries }: StoredSegment): Generator<AuditLine> {
  yield { kind: 'segment', ...segment };
  const ids = new Set([...segment.ids, ...entries.keys()]);
  for (const id of ids) {
    const entry = entries.get(id);
    // What is gone leaves a gap, for the verification to find.
    if (entry !== undefined) yield { kind: 'entry', id, ...auditContentSchema.parse(entry) };
  }
};

/** Writes one part of an export, as a stream: never more than a few segments are in memory. */
export const createAuditExporter = ({ reader, blobs, partSize = 50_000 }: AuditExporterOptions) => {
  const unsealedLines = async function* (tenant: string): AsyncGenerator<AuditLine> {
    let cursor: string | undefined;
    do {
      const page = await reader.unsealed(tenant, cursor);
      for (const { id, value } of page.items) yield { kind: 'unsealed', id, ...auditContentSchema.parse(value) };
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  };

  return async (tenant: string, id: string, { next, until, parts }: AuditExport, signal: AbortSignal) => {
    const base = await reader.stateAt(tenant, next);
    if (base === undefined) throw new OmniError('invalid-request', 'The log is damaged where this part begins.');
    const part = parts.length + 1;
    let state: ChainState = base;
    let [entries, unsealed] = [0, 0];

    const lines = async function* (): AsyncGenerator<AuditLine> {
      const { frontier, ...position } = base;
      const header = { ...position, frontier: [...frontier.nodes] };
      yield { kind: 'header', format: 'omni-audit/1', tenant, part, base: header };
      if (next < until.sequence) {
        for await (const stored of reader.walk(tenant, next)) {
          signal.throwIfAborted();
          yield* segmentLines(stored);
          state = stateAfter(stored.segment);
          entries += stored.segment.ids.length;
          if (state.sequence >= until.sequence || entries >= partSize) break;
        }
      }
      const last = state.sequence >= until.sequence;
      if (last) {
        for await (const line of unsealedLines(tenant)) {
          unsealed += 1;
          yield line;
        }
      }
      const { sequence, size, hash } = state;
      yield { kind: 'end', last, sequence, size, hash };
    };
    const text = async function* (): AsyncGenerator<Uint8Array> {
      for await (const line of lines()) yield Buffer.from(`${JSON.stringify(line)}\n`);
    };

    const key = partKey(id, part);
    const { size } = await blobs.of(tenant).put(key, Readable.from(text(), { objectMode: false }), { contentType });
    return { part: { key, size, entries, from: next, to: state.sequence }, unsealed };
  };
};
export type WriteAuditPart = ReturnType<typeof createAuditExporter>;
