import type { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { OmniError } from '../../kernel/errors.ts';
import { type Detector, detectors } from './detectors.ts';
import type { Confidence, Finding } from './finding.schema.ts';

export interface ScanOptions {
  /** Findings of less are left out. `medium` where absent. */
  readonly minConfidence?: Confidence;
  /** Findings told at most. 1,000 where absent. */
  readonly maxFindings?: number;
}

export interface ScanResult {
  /** In order of place; none overlaps another. */
  readonly findings: readonly Finding[];
  /** There are more than were told. */
  readonly truncated: boolean;
}

const defaultFindings = 1_000;
/** Characters before a match in which a word may make sure of it. */
const contextLength = 40;

const ranks: Readonly<Record<Confidence, number>> = { low: 0, medium: 1, high: 2 };

const sampleOf = (text: string, [head, tail]: Detector['shown']): string =>
  `${text.slice(0, head)}…${tail > 0 ? text.slice(-tail) : ''}`;

/** What one detector finds. A number's check costs most, so it comes last. */
const findingsOf = (
  { type, pattern, measure, confidence: alone, context, shown }: Detector,
  text: string,
  minConfidence: Confidence,
): Finding[] => {
  const found: Finding[] = [];
  for (const { 0: match, index } of text.matchAll(pattern)) {
    const isSure = context?.test(text.slice(Math.max(0, index - contextLength), index)) === true;
    const confidence = isSure ? 'high' : alone;
    if (ranks[confidence] < ranks[minConfidence]) continue;
    const length = measure?.(match) ?? match.length;
    if (length === 0) continue;
    const sample = sampleOf(match.slice(0, length), shown);
    found.push({ type, confidence, start: index, end: index + length, sample });
  }
  return found;
};

/** Of findings that overlap the surest stays, then the longest. */
const isBetter = (a: Finding, b: Finding): boolean =>
  a.confidence === b.confidence ? a.end - a.start > b.end - b.start : ranks[a.confidence] > ranks[b.confidence];

const withoutOverlaps = (found: readonly Finding[]): Finding[] => {
  const kept: Finding[] = [];
  for (const finding of found.toSorted((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (last === undefined || last.end <= finding.start) kept.push(finding);
    else if (isBetter(finding, last)) kept[kept.length - 1] = finding;
  }
  return kept;
};

const allFindings = (text: string, minConfidence: Confidence): Finding[] =>
  withoutOverlaps(detectors.flatMap((detector) => findingsOf(detector, text, minConfidence)));

/** Secrets and personal data in a text. Linear in its length. */
export const scanText = (text: string, options: ScanOptions = {}): ScanResult => {
  const { minConfidence = 'medium', maxFindings = defaultFindings } = options;
  const found = allFindings(text, minConfidence);
  return { findings: found.slice(0, maxFindings), truncated: found.length > maxFindings };
};

/** The text with `[card]` in the place of a card's number, and so on: of every finding, however many. */
export const redactFindings = (text: string, minConfidence: Confidence = 'medium'): string => {
  let redacted = '';
  let position = 0;
  for (const { type, start, end } of allFindings(text, minConfidence)) {
    redacted += `${text.slice(position, start)}[${type}]`;
    position = end;
  }
  return redacted + text.slice(position);
};

/** Characters that are scanned at once. */
const windowLength = 256 * 1024;
/** Longer than what any detector looks at, but for a private key, whose beginning says enough. */
const overlap = 4_096;

const decoderFor = (start: Uint8Array): TextDecoder => {
  const [first, second] = start;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding);
};

/** A stream's bytes as text, by their byte order mark or as UTF-8. What is no text becomes replacement characters. */
async function* decoded(body: Readable): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    decoder ??= decoderFor(bytes);
    yield decoder.decode(bytes, { stream: true });
  }
  yield decoder?.decode() ?? '';
}

/**
 * As `scanText`, for a stream of at most `maxBytes` (else `payload-too-large`), of which a window is held in memory.
 * A finding on the border of two windows is found in the later one, which begins before it.
 */
export const scanStream = async (
  body: Readable,
  { maxBytes, minConfidence = 'medium', maxFindings = defaultFindings }: ScanOptions & { readonly maxBytes: number },
): Promise<ScanResult & { readonly characters: number }> => {
  const findings: Finding[] = [];
  let total = 0;
  /** The window, where it begins in the stream, and the place from which its findings are new. */
  let window = '';
  let offset = 0;
  let newFrom = 0;
  const take = (upTo: number): void => {
    for (const { start, end, ...finding } of allFindings(window, minConfidence)) {
      if (start >= newFrom && start < upTo) findings.push({ ...finding, start: start + offset, end: end + offset });
    }
  };
  for await (const text of decoded(body)) {
    window += text;
    total += Buffer.byteLength(text);
    if (total > maxBytes) throw new OmniError('payload-too-large', `At most ${maxBytes} bytes can be scanned.`);
    if (window.length < windowLength || findings.length > maxFindings) continue;
    const upTo = window.length - overlap;
    take(upTo);
    const cut = upTo - overlap;
    window = window.slice(cut);
    offset += cut;
    newFrom = overlap;
  }
  take(window.length);
  const characters = offset + window.length;
  return { findings: findings.slice(0, maxFindings), truncated: findings.length > maxFindings, characters };
};
