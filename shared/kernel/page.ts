import { OmniError } from './errors.ts';

/** One page of a list. `nextCursor` is null on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** What a client sends to walk a list. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The position after the last item of a page: its sort value and its id. Opaque to clients. */
export type KeysetPosition = readonly [value: string | number | boolean | null, id: string];

const maxCursorLength = 2_048;

const isScalar = (value: unknown): value is KeysetPosition[0] =>
  value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);

export const encodeCursor = (position: KeysetPosition): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url');

/** Throws `invalid-cursor` on anything that encodeCursor did not make. */
export const decodeCursor = (cursor: string): KeysetPosition => {
  try {
    if (cursor.length > maxCursorLength) throw new RangeError('too long');
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parsed) && parsed.length === 2) {
      const [value, id]: unknown[] = parsed;
      if (isScalar(value) && typeof id === 'string' && id !== '') return [value, id];
    }
  } catch {
    // Falls through to the refusal: why a forged cursor does not parse is of no use to its sender.
  }
  throw new OmniError('invalid-cursor', 'The cursor is not one that this list gave out. Start again without it.');
};
