import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { tokenLifetime } from './access-token.schema.ts';
import { tokenIssuer, tokenVerifier } from './access-tokens.ts';
import type { PublicKey } from './signing-keys.ts';

const names = { issuer: 'https://omni.example', audience: 'omni' };
const subject = { sub: 'usr_1', client_id: 'omni', tenant: 'acme', sid: 'ses_1', roles: ['member'], epoch: 0 };

const published = (kid: string, key: KeyObject): PublicKey => {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid, x };
};

const start = () => {
  const clock = manualClock();
  const { privateKey: key } = generateKeyPairSync('ed25519');
  const keys = [published('k1', key)];
  let loads = 0;
  const load = async () => {
    loads += 1;
    return keys;
  };
  const issue = tokenIssuer({ ...names, current: async () => ({ kid: 'k1', key }), newId, clock });
  return { clock, key, keys, loads: () => loads, issue, verify: tokenVerifier({ ...names, load, clock }) };
};
let here: ReturnType<typeof start>;
beforeEach(() => {
  here = start();
});

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

/** A token of ours with another header or payload, signed anew. */
const forged = async (header: object, payload: object, by: KeyObject = here.key): Promise<string> => {
  const [head, body] = (await here.issue(subject)).accessToken.split('.');
  const input = `${encode({ ...decode(head), ...header })}.${encode({ ...decode(body), ...payload })}`;
  return `${input}.${sign(null, Buffer.from(input), by).toString('base64url')}`;
};

describe('an access token', () => {
  it('says who it is for whom, and is verified without a read once the keys are known', async () => {
    const { accessToken, expiresIn } = await here.issue(subject);
    expect(decode(accessToken.split('.')[0])).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' });
    expect(await here.verify(accessToken)).toMatchObject({ ...subject, iss: names.issuer, aud: names.audience });
    expect(expiresIn).toBe(tokenLifetime);
    for (let i = 0; i < 10; i += 1) await here.verify((await here.issue(subject)).accessToken);
    expect(here.loads()).toBe(1);
  });

  it('ends after ten minutes and five seconds for clocks that differ', async () => {
    const { accessToken } = await here.issue(subject);
    here.clock.advance(tokenLifetime * 1_000 + 4_000);
    expect(await here.verify(accessToken)).toBeDefined();
    here.clock.advance(2_000);
    expect(await here.verify(accessToken)).toBeUndefined();
  });

  it('from the future is refused beyond the same five seconds', async () => {
    const { accessToken } = await here.issue(subject);
    here.clock.advance(-4_000);
    expect(await here.verify(accessToken)).toBeDefined();
    here.clock.advance(-3_000);
    expect(await here.verify(accessToken)).toBeUndefined();
  });

  const hour = 3_600;
  const now = Date.parse('2026-01-01T00:00:00.000Z') / 1_000;
  it.each([
    ['of another type', { typ: 'JWT' }, {}],
    ['of no type', { typ: undefined }, {}],
    ['that says it has no algorithm', { alg: 'none' }, {}],
    ['that says it has another algorithm', { alg: 'ES256' }, {}],
    ['with a critical extension', { crit: ['x'], x: 1 }, {}],
    ['without a key id', { kid: undefined }, {}],
    ['of another issuer', {}, { iss: 'https://evil.example' }],
    ['without an issuer', {}, { iss: undefined }],
    ['for another audience', {}, { aud: 'another' }],
    ['without an audience', {}, { aud: undefined }],
    ['without an end', {}, { exp: undefined }],
    ['without a beginning', {}, { iat: undefined }],
    ['that is not valid yet', {}, { nbf: now + hour }],
    ['that is older than any may get, whatever its end', {}, { iat: now - hour, exp: now + hour }],
    ['without a tenant', {}, { tenant: undefined }],
    ['of an empty tenant', {}, { tenant: '' }],
    ['without an epoch', {}, { epoch: undefined }],
    ['with an end that is no number', {}, { exp: '9999999999' }],
    ['without a subject', {}, { sub: undefined }],
  ])('%s is refused, though the key is right', async (_what, header, payload) => {
    expect(await here.verify(await forged({}, {}))).toBeDefined();
    expect(await here.verify(await forged(header, payload))).toBeUndefined();
  });

  it('of a foreign key is refused, also under the id of ours or with the key in its own header', async () => {
    const { privateKey: foreign } = generateKeyPairSync('ed25519');
    const jwk = createPublicKey(foreign).export({ format: 'jwk' });
    for (const header of [{}, { jwk }, { jku: 'https://evil.example/jwks.json' }, { kid: 'k2', jwk }]) {
      expect(await here.verify(await forged(header, {}, foreign))).toBeUndefined();
    }
  });

  it('that takes the public key for the secret of a HMAC is refused', async () => {
    const { createHmac } = await import('node:crypto');
    const secret = createPublicKey(here.key).export({ format: 'pem', type: 'spki' });
    const [, body] = (await here.issue(subject)).accessToken.split('.');
    const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })}.${body}`;
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    expect(await here.verify(token)).toBeUndefined();
  });

  it('that was changed in any one character is refused', async () => {
    const { accessToken } = await here.issue(subject);
    const [head = '', body = '', signature = ''] = accessToken.split('.');
    // The last character of a part has bits that mean nothing.
    for (let i = 0; i < accessToken.length; i += 7) {
      if ([head.length, head.length + body.length + 1].includes(i) || i === accessToken.length - 1) continue;
      const other = accessToken[i] === 'A' ? 'B' : 'A';
      expect(await here.verify(`${accessToken.slice(0, i)}${other}${accessToken.slice(i + 1)}`)).toBeUndefined();
    }
    expect(await here.verify(`${head}.${body}.`)).toBeUndefined();
    expect(await here.verify(`${head}.${body}.${signature}.${signature}`)).toBeUndefined();
  });

  it.each(['', '.', '..', 'a.b.c', 'null', '{}', `${'x'.repeat(3_000)}.y.z`, '\u0000', 'ey.ey.ey'])(
    'is not %j',
    async (text) => {
      expect(await here.verify(text)).toBeUndefined();
    },
  );
});

describe('the published keys', () => {
  it('are read again for an unknown id, once in 30 s however many ask', async () => {
    const stale = await forged({ kid: 'unknown' }, {});
    await here.verify((await here.issue(subject)).accessToken);
    for (let i = 0; i < 20; i += 1) expect(await here.verify(stale)).toBeUndefined();
    expect(here.loads()).toBe(1);
    here.clock.advance(30_000);
    await Promise.all(Array.from({ length: 20 }, () => here.verify(stale)));
    expect(here.loads()).toBe(2);
  });

  it('that are new are found by the first token that they signed', async () => {
    await here.verify((await here.issue(subject)).accessToken);
    here.clock.advance(30_000);
    const { privateKey: next } = generateKeyPairSync('ed25519');
    here.keys.push(published('k2', next));
    expect(await here.verify(await forged({ kid: 'k2' }, {}, next))).toBeDefined();
  });

  it('that are withdrawn are trusted for ten minutes more', async () => {
    const { accessToken } = await here.issue(subject);
    await here.verify(accessToken);
    here.keys.length = 0;
    here.clock.advance(599_000);
    expect(await here.verify((await here.issue(subject)).accessToken)).toBeDefined();
    here.clock.advance(1_000);
    expect(await here.verify((await here.issue(subject)).accessToken)).toBeUndefined();
  });

  it('that can not be read are a failure, not a refusal', async () => {
    const verify = tokenVerifier({ ...names, load: () => Promise.reject(new Error('down')), clock: here.clock });
    await expect(verify((await here.issue(subject)).accessToken)).rejects.toThrow('down');
  });

  const failing = () => {
    const state = { isDown: false, loads: 0 };
    const load = async () => {
      state.loads += 1;
      if (state.isDown) throw new Error('down');
      return here.keys;
    };
    return { state, verify: tokenVerifier({ ...names, load, clock: here.clock }) };
  };
  const isTrusted = async (verify: ReturnType<typeof tokenVerifier>) =>
    (await verify((await here.issue(subject)).accessToken)) !== undefined;

  it('are read again beside the requests before they are ten minutes old, so that none waits', async () => {
    let release = () => {};
    let loads = 0;
    const load = async () => {
      loads += 1;
      if (loads > 1) await new Promise<void>((resolve) => (release = resolve));
      return here.keys;
    };
    const verify = tokenVerifier({ ...names, load, clock: here.clock });
    expect(await isTrusted(verify)).toBe(true);
    here.clock.advance(300_000);
    for (let i = 0; i < 5; i += 1) expect(await isTrusted(verify)).toBe(true);
    expect(loads).toBe(2);
    release();
    await new Promise((resolve) => setImmediate(resolve));
    here.clock.advance(299_000);
    expect(await isTrusted(verify)).toBe(true);
    expect(loads).toBe(2);
  });

  it('are trusted for an hour while they can not be read, which is tried once in 30 s', async () => {
    const { state, verify } = failing();
    expect(await isTrusted(verify)).toBe(true);
    state.isDown = true;
    here.clock.advance(601_000);
    for (let i = 0; i < 20; i += 1) expect(await isTrusted(verify)).toBe(true);
    expect(state.loads).toBe(2);
    here.clock.advance(30_000);
    expect(await isTrusted(verify)).toBe(true);
    expect(state.loads).toBe(3);
    here.clock.advance(3_600_000);
    await expect(isTrusted(verify)).rejects.toThrow('down');
    state.isDown = false;
    here.clock.advance(30_000);
    expect(await isTrusted(verify)).toBe(true);
  });
});
