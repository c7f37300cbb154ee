import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendLeaf, appendLeaves, emptyFrontier, leafHash, rootOf } from './merkle.ts';

/** Of Certificate Transparency's reference implementation (merkletree/merkle_tree_test.cc). */
const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = inputs.map((hex) => leafHash(Buffer.from(hex, 'hex')));

/** RFC 6962, section 2.1, word for word. */
const treeHash = (hashes: readonly string[]): string => {
  const [only = ''] = hashes;
  if (hashes.length < 2) return only;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  const frontier = [treeHash(hashes.slice(0, split)), treeHash(hashes.slice(split))];
  return rootOf({ size: 3, nodes: frontier });
};

describe('the Merkle tree of RFC 6962', () => {
  it('has the root of the empty string without leaves', () => {
    expect(rootOf(emptyFrontier)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it.each(roots.map((root, i) => [i + 1, root] as const))('has the published root with %d leaves', (size, root) => {
    expect(rootOf(appendLeaves(emptyFrontier, leaves.slice(0, size)))).toBe(root);
  });

  it('grows to the root that its definition gives, however it is cut', () => {
    const hashes = fc.array(
      fc.nat().map((n) => leafHash(String(n))),
      { minLength: 1, maxLength: 70 },
    );
    fc.assert(
      fc.property(hashes, fc.nat(70), (all, cut) => {
        const grown = appendLeaves(appendLeaves(emptyFrontier, all.slice(0, cut)), all.slice(cut));
        expect(rootOf(grown)).toBe(treeHash(all));
        expect(grown.nodes).toHaveLength([...all.length.toString(2)].filter((bit) => bit === '1').length);
      }),
    );
  });

  it('keeps leaves and nodes apart', () => {
    const [a = '', b = ''] = leaves;
    const node = rootOf(appendLeaf(appendLeaf(emptyFrontier, a), b));
    expect(leafHash(Buffer.from(a + b, 'hex'))).not.toBe(node);
  });
});
