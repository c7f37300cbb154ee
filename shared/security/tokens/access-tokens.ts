import type { KeyObject } from 'node:crypto';
import type { CryptoKey, JWTHeaderParameters, JWTPayload } from 'jose';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import {
  type AccessTokenClaims,
  accessTokenClaimsSchema,
  clockTolerance,
  maxTokenAge,
  tokenLifetime,
} from './access-token.schema.ts';
import { type PublicKey, publishedFor } from './signing-keys.ts';

let jose: Promise<typeof import('jose')> | undefined;
/** Where it is first used. It is kept here, since Node takes microseconds to find what it has imported before. */
const loadJose = (): Promise<typeof import('jose')> => {
  jose ??= import('jose');
  return jose;
};

export interface TokenNames {
  /** The `iss` claim: where the tokens come from. */
  readonly issuer: string;
  /** The `aud` claim: whom they are for. */
  readonly audience: string;
}

/** What a token says, without what every token says. */
export type TokenSubject = Omit<AccessTokenClaims, 'iss' | 'aud' | 'jti' | 'iat' | 'exp'>;

export interface IssuedToken {
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  /** Seconds. */
  readonly expiresIn: number;
}

export type IssueToken = (subject: TokenSubject) => Promise<IssuedToken>;

export interface IssuerOptions extends TokenNames {
  readonly current: () => Promise<{ readonly kid: string; readonly key: KeyObject }>;
  readonly newId: NewId;
  readonly clock: Clock;
}

export const tokenIssuer =
  ({ issuer, audience, current, newId, clock }: IssuerOptions): IssueToken =>
  async (subject) => {
    const [{ SignJWT }, { kid, key }] = await Promise.all([loadJose(), current()]);
    const iat = Math.floor(clock.now() / 1_000);
    const exp = iat + tokenLifetime;
    const claims: AccessTokenClaims = { ...subject, iss: issuer, aud: audience, jti: newId('tok'), iat, exp };
    const accessToken = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid }).sign(key);
    return { accessToken, tokenType: 'Bearer', expiresIn: tokenLifetime };
  };

/** The claims of a token that is ours, for us and valid now; undefined for every other text. */
export type VerifyToken = (token: string) => Promise<AccessTokenClaims | undefined>;

export interface VerifierOptions extends TokenNames {
  /** Reads the published keys. */
  readonly load: () => Promise<readonly PublicKey[]>;
  readonly clock: Clock;
}

/** Milliseconds. However many unknown key ids come, and however often it fails, the keys are not read again before. */
const refetchInterval = 30_000;
/** Milliseconds from which known keys are read anew beside the requests, which go on with what is known. */
const refreshAfter = publishedFor / 2;
/** Milliseconds for which known keys are trusted while they can't be read. Then nobody's token is. */
const keptFor = 60 * 60_000;
/** Tokens whose claims an instance remembers. */
const maxRemembered = 5_000;

/** The published keys, kept in this process. */
const keyRing = ({ load, clock }: Pick<VerifierOptions, 'load' | 'clock'>) => {
  let keys: ReadonlyMap<string, CryptoKey> = new Map();
  let loadedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  let failed: { readonly at: number; readonly why: unknown } | undefined;

  const read = async (): Promise<void> => {
    const { importJWK } = await loadJose();
    const fresh = new Map<string, CryptoKey>();
    for (const jwk of await load()) {
      const key = await importJWK({ ...jwk }, 'EdDSA');
      if (!(key instanceof Uint8Array)) fresh.set(jwk.kid, key);
    }
    keys = fresh;
    loadedAt = clock.now();
    failed = undefined;
  };
  /** One read at a time, which all who wait share, and none for a while after one that failed. */
  const refresh = async (): Promise<void> => {
    if (failed !== undefined && Math.abs(clock.now() - failed.at) < refetchInterval) throw failed.why;
    loading ??= read()
      .catch((why: unknown) => {
        failed = { at: clock.now(), why };
        throw why;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };

  const awaited = async (kid: string): Promise<CryptoKey | undefined> => {
    try {
      await refresh();
    } catch (error) {
      const key = keys.get(kid);
      if (key !== undefined && Math.abs(clock.now() - loadedAt) < keptFor) return key;
      throw error;
    }
    return keys.get(kid);
  };

  /** At once while what is known is fresh: every request asks. */
  return (kid: string): CryptoKey | undefined | Promise<CryptoKey | undefined> => {
    const key = keys.get(kid);
    const age = clock.now() - loadedAt;
    // A clock that was stepped back makes the age negative: read again rather than trust it for long.
    const isStale = age >= publishedFor || age < 0 || (key === undefined && age >= refetchInterval);
    if (isStale) return awaited(kid);
    // A failure is told to whoever waits for a read, once there is somebody.
    if (age >= refreshAfter && loading === undefined) refresh().catch(() => undefined);
    return key;
  };
};

/**
 * The claims of tokens by their text, which says the same for ever: their schema's generated code runs unoptimised for
 * the first tens of thousands of requests of a process, and costs each a sixth of a signature.
 */
const claimsMemory = () => {
  const remembered = new Map<string, AccessTokenClaims>();
  return (token: string, payload: JWTPayload): AccessTokenClaims | undefined => {
    const known = remembered.get(token);
    if (known !== undefined) return known;
    const claims = accessTokenClaimsSchema.safeParse(payload).data;
    if (claims === undefined) return undefined;
    const oldest = remembered.size >= maxRemembered ? remembered.keys().next().value : undefined;
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(token, claims);
    return claims;
  };
};

/**
 * Verifies without asking anybody: the signature by a published key (EdDSA, whatever the token says), `typ`, `iss`,
 * `aud`, the times, and the claims' shape. Keys that a token brings along (`jwk`, `jku`, `x5u`) are never looked at.
 */
export const tokenVerifier = ({ issuer, audience, load, clock }: VerifierOptions): VerifyToken => {
  const keyOf = keyRing({ load, clock });
  const claimsOf = claimsMemory();
  let loaded: Awaited<ReturnType<typeof loadJose>> | undefined;

  const wanted = async (key: Promise<CryptoKey | undefined> | undefined): Promise<CryptoKey> => {
    const found = await key;
    if (found === undefined) throw new (await loadJose()).errors.JWKSNoMatchingKey();
    return found;
  };
  const find = ({ kid }: JWTHeaderParameters): CryptoKey | Promise<CryptoKey> => {
    const key = kid === undefined ? undefined : keyOf(kid);
    return key === undefined || key instanceof Promise ? wanted(key) : key;
  };

  return async (token) => {
    loaded ??= await loadJose();
    try {
      const { payload } = await loaded.jwtVerify(token, find, {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        clockTolerance,
        maxTokenAge,
        requiredClaims: ['exp'],
        currentDate: new Date(clock.now()),
      });
      return claimsOf(token, payload);
    } catch (error) {
      if (error instanceof loaded.errors.JOSEError) return undefined;
      throw error;
    }
  };
};
