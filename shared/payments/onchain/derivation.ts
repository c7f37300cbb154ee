import { ECDH } from 'node:crypto';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Hex } from './chains.ts';

/** Addresses of one extended public key. Nothing here can spend. */
export interface Wallet {
  /** Of the key, without telling it. */
  readonly id: string;
  /** What the wallet's owner finds the address by, such as `0/7` below the key. */
  path(index: number): string;
  /** With the checksum of EIP-55. Indexes are 0 to 2^31 - 1. */
  address(index: number): Hex;
}

const refuse = (message: string): OmniError =>
  new OmniError('invalid-request', 'Some fields are not valid.', {
    issues: [{ path: 'body.credentials.xpub', message }],
  });

/** Of an account (m/44'/60'/0'), whose receiving addresses are below 0, or of these (m/44'/60'/0'/0) themselves. */
const depths = { account: 3, chain: 4 };
const maxIndex = 2 ** 31 - 1;

/**
 * A wallet of an extended public key by BIP-32, at one of the depths of BIP-44. Fails with `invalid-request` for anything
 * else, above all for a private key.
 */
export const openWallet = async (xpub: string): Promise<Wallet> => {
  if (/^[a-z]?prv/i.test(xpub.slice(0, 4)) || /^(0x)?[0-9a-f]{64}$/i.test(xpub) || /\s/.test(xpub)) {
    throw refuse('Must not be a private key. It belongs nowhere but into its wallet: move what it guards');
  }
  const [{ HDKey }, { addressOfKey }] = await Promise.all([import('@scure/bip32'), import('./evm.ts')]);
  let root: InstanceType<typeof HDKey>;
  try {
    root = HDKey.fromExtendedKey(xpub);
  } catch {
    throw refuse('Must be an extended public key (xpub) by BIP-32');
  }
  if (root.privateKey !== null) throw refuse('Must not be a private key');
  if (root.depth !== depths.account && root.depth !== depths.chain) {
    throw refuse("Must be that of an account, m/44'/60'/0', or of its receiving addresses, m/44'/60'/0'/0");
  }
  const receiving = root.depth === depths.account ? root.deriveChild(0) : root;
  return {
    id: derivedId('wal', xpub),
    path: (index) => (root.depth === depths.account ? `0/${index}` : String(index)),
    address: (index) => {
      if (!Number.isInteger(index) || index < 0 || index > maxIndex) throw new RangeError('This is no index.');
      const { publicKey } = receiving.deriveChild(index);
      if (publicKey === null) throw new Error('A derived key has no public part.');
      const full = ECDH.convertKey(publicKey, 'secp256k1', undefined, undefined, 'uncompressed');
      if (typeof full === 'string') throw new TypeError('A key is bytes.');
      return addressOfKey(full);
    },
  };
};
