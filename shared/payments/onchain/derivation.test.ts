import { describe, expect, it } from 'vitest';
import { testXpub } from '#tests/support/onchain.ts';
import { chainsOf, knownChains } from './chains.ts';
import { openWallet } from './derivation.ts';

/**
 * m/44'/60'/0'/0/0 and on of "test test test test test test test test test test test junk", as Hardhat and Foundry publish
 * them (https://hardhat.org/hardhat-network/docs/reference#accounts).
 */
const published = [
  '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
  '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
  '0x90F79bf6EB2c4f870365E785982E1f101E93b906',
];

/** BIP-32, test vector 1: https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki#test-vector-1. */
const vector = {
  "m/0'/1/2'":
    'xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5',
  "m/0'/1/2'/2":
    'xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV',
};

describe('addresses of an extended public key', () => {
  it('are those that every wallet derives from the same phrase', async () => {
    const wallet = await openWallet(testXpub);
    expect(published.map((_, index) => wallet.address(index))).toEqual(published);
    expect(wallet.path(2)).toBe('0/2');
  });

  it('are the same below the account and below its receiving addresses', async () => {
    const { HDKey } = await import('@scure/bip32');
    const receiving = await openWallet(HDKey.fromExtendedKey(testXpub).deriveChild(0).publicExtendedKey);
    expect(published.map((_, index) => receiving.address(index))).toEqual(published);
    expect(receiving.path(2)).toBe('2');
  });

  it('follow the vectors of BIP-32', async () => {
    const { HDKey } = await import('@scure/bip32');
    const [account, child] = [HDKey.fromExtendedKey(vector["m/0'/1/2'"]), vector["m/0'/1/2'/2"]];
    expect(account.deriveChild(2).publicExtendedKey).toBe(child);
    const [below, same] = [await openWallet(vector["m/0'/1/2'"]), await openWallet(child)];
    expect(below.address(0)).not.toBe(same.address(0));
  });

  it.each([
    [
      'a private key',
      'xprv9yeny6n2dNUokQFykGoZU6BDLeKbEBUoBeCFe2VF6MXdrHrprMYRc4tddncDRxrJCy7GtPDk68zRcgWtGFveqdCV5NyhZwVgMoZVbTm78vx',
    ],
    ['a private key in hexadecimal', `0x${'1'.repeat(64)}`],
    ['a phrase', 'test test test test test test test test test test test junk'],
    ['a wrong checksum', `${testXpub.slice(0, -1)}Q`],
    [
      'a key of the wallet itself',
      'xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8',
    ],
    ['nothing of the kind', 'hello'],
  ])('are not derived from %s', async (_what, text) => {
    await expect(openWallet(text)).rejects.toMatchObject({
      code: 'invalid-request',
      issues: [{ path: 'body.credentials.xpub' }],
    });
  });
});

describe('chains', () => {
  it('have contracts with the checksum of EIP-55', async () => {
    const { getAddress } = await import('viem');
    const all = knownChains.flatMap(({ tokens }) => tokens.map(({ address }) => address));
    expect(all.map((address) => getAddress(address.toLowerCase()))).toEqual(all);
  });

  it('are there with two endpoints each, and with the tokens that a deployment adds', () => {
    const two = ['base=https://a.example/key', 'base=https://b.example/key'];
    const [base] = chainsOf(two, [`base:USDT:0x${'d'.repeat(40)}:18:USD`]);
    expect(base).toMatchObject({
      name: 'base',
      chainId: 8_453,
      endpoints: ['https://a.example/key', 'https://b.example/key'],
    });
    expect(base?.tokens.map(({ symbol, decimals }) => `${symbol} ${decimals}`)).toEqual([
      'USDC 6',
      'EURC 6',
      'USDT 18',
    ]);
    expect(chainsOf([])).toEqual([]);
  });

  it.each([
    [['base=https://secret.example/key'], []],
    [['base=https://secret.example/key', 'base=https://secret.example/key'], []],
    [['nowhere=https://secret.example/key', 'nowhere=https://b.example'], []],
    [['base=ftp://secret.example/key', 'base=https://b.example'], []],
    [['base=https://secret.example/key', 'base=https://b.example'], ['base:USDT:0x12:18:USD']],
  ])('refuse a configuration without saying its secrets: %s %s', (endpoints, tokens) => {
    expect(() => chainsOf(endpoints, tokens)).toThrow(
      /^The configuration is not valid: ONCHAIN_(RPC_URLS|TOKENS) (?!.*secret)/,
    );
  });
});
