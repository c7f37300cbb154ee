import { createHash } from 'node:crypto';

/**
 * The Merkle tree of RFC 6962, section 2.1: leaves and nodes are hashed under different prefixes, so that neither can
 * pass for the other. Hashes are hex.
 */
const leafPrefix = Buffer.of(0);
const nodePrefix = Buffer.of(1);

export const leafHash = (data: string | Uint8Array): string =>
  createHash('sha256').update(leafPrefix).update(data).digest('hex');

const nodeHash = (left: string, right: string): string =>
  createHash('sha256').update(nodePrefix).update(left, 'hex').update(right, 'hex').digest('hex');

const emptyRoot = createHash('sha256').digest('hex');

/**
 * A tree that only grows, as the roots of its complete subtrees from left to right: one for each bit that is set in its
 * size. It is all that is needed to append to a tree of any size and to tell its root.
 */
export interface Frontier {
  readonly size: number;
  readonly nodes: readonly string[];
}

export const emptyFrontier: Frontier = { size: 0, nodes: [] };

export const appendLeaf = ({ size, nodes }: Frontier, leaf: string): Frontier => {
  const next = [...nodes];
  let node = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) node = nodeHash(next.pop() ?? '', node);
  return { size: size + 1, nodes: [...next, node] };
};

export const appendLeaves = (frontier: Frontier, leaves: readonly string[]): Frontier =>
  leaves.reduce(appendLeaf, frontier);

/** `MTH` of the leaves that were appended. */
export const rootOf = ({ nodes }: Frontier): string =>
  nodes.length === 0 ? emptyRoot : nodes.reduceRight((right, left) => nodeHash(left, right));
