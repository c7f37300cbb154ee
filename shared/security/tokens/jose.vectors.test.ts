import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, importJWK, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import published from '#tests/support/jose-vectors.json' with { type: 'json' };
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { tokenIssuer, tokenVerifier } from './access-tokens.ts';
import type { PublicKey } from './signing-keys.ts';

const { eddsa, thumbprints, refused } = published;
const names = { issuer: 'https://omni.example', audience: 'omni' };
const subject = { sub: 'usr_1', client_id: 'omni', tenant: 'acme', sid: 'ses_1', roles: ['member'], epoch: 0 };

/** As signing-keys.ts keeps and publishes a key. */
const published25519 = (kid: string, x: string): PublicKey => ({
  kty: 'OKP',
  crv: 'Ed25519',
  alg: 'EdDSA',
  use: 'sig',
  kid,
  x,
});
const signingKey = createPrivateKey({ format: 'jwk', key: eddsa.key });

const at = (key: KeyObject, keys: readonly PublicKey[]) => {
  const clock = manualClock();
  return {
    issue: tokenIssuer({ ...names, current: async () => ({ kid: 'k1', key }), newId, clock }),
    verify: tokenVerifier({ ...names, load: async () => keys, clock }),
  };
};

describe('Ed25519 of RFC 8037, appendix A', () => {
  const [header = '', payload = '', signature] = eddsa.compact.split('.');

  it('signs to the published bytes with the key as we keep it (A.4)', () => {
    expect(Buffer.from(payload, 'base64url').toString()).toBe(eddsa.payload);
    expect(sign(null, Buffer.from(`${header}.${payload}`), signingKey).toString('base64url')).toBe(signature);
  });

  it('verifies with the key as we publish it (A.5)', async () => {
    const { x } = createPublicKey(signingKey).export({ format: 'jwk' });
    expect(x).toBe(eddsa.key.x);
    const key = await importJWK({ ...published25519('k1', eddsa.key.x) }, 'EdDSA');
    expect(Buffer.from((await compactVerify(eddsa.compact, key)).payload).toString()).toBe(eddsa.payload);
  });

  it('is the key of tokens that our verifier takes, while the published message is none of them', async () => {
    const { issue, verify } = at(signingKey, [published25519('k1', eddsa.key.x)]);
    expect(await verify((await issue(subject)).accessToken)).toMatchObject(subject);
    expect(await verify(eddsa.compact)).toBeUndefined();
  });
});

describe('the thumbprint of a key', () => {
  it.each(thumbprints)('is the published one of $source', async ({ key, thumbprint }) => {
    expect(await calculateJwkThumbprint(key)).toBe(thumbprint);
  });
});

describe.each(refused)('$source, $alg', ({ alg, key, compact }) => {
  it('is right in its own way', async () => {
    if (alg === 'none') expect(compact.split('.')[2]).toBe('');
    else await expect(compactVerify(compact, await importJWK(key ?? {}, alg))).resolves.toBeDefined();
  });

  it('is none of our tokens', async () => {
    const { verify } = at(signingKey, [published25519('k1', eddsa.key.x)]);
    expect(await verify(compact)).toBeUndefined();
  });

  it('is none of our tokens with our claims, our type and the id of our key in it either', async () => {
    const { issue, verify } = at(signingKey, [published25519('k1', eddsa.key.x)]);
    const [, ours = ''] = (await issue(subject)).accessToken.split('.');
    const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: 'k1' })).toString('base64url');
    expect(await verify(`${header}.${ours}.${compact.split('.')[2]}`)).toBeUndefined();
    if (alg !== 'HS256') return;
    // The confusion of RFC 8725, section 2.1: our public key, which everybody knows, as the secret.
    const claims = JSON.parse(Buffer.from(ours, 'base64url').toString());
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg, typ: 'at+jwt', kid: 'k1' })
      .sign(Buffer.from(eddsa.key.x.padEnd(64, '0'), 'base64url'));
    expect(await verify(forged)).toBeUndefined();
  });
});

it('a token that is signed by another key than the one under its id is none of ours', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { issue, verify } = at(privateKey, [published25519('k1', eddsa.key.x)]);
  expect(await verify((await issue(subject)).accessToken)).toBeUndefined();
});
