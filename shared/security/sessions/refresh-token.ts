import { createHmac } from 'node:crypto';
import { sameHash } from '../api-keys/api-key.format.ts';
import { newSecret } from '../tokens/opaque-token.ts';

export interface RefreshToken {
  readonly tenant: string;
  readonly session: string;
  readonly secret: string;
  readonly tag: string;
}

const pattern = /^omr_([a-z0-9-]{2,63})\.(ses_[0-9A-Za-z]{1,40})\.([\w-]{43})([\w-]{22})$/;

const mac = (key: string, what: string, secret: string): string =>
  createHmac('sha256', key).update(`${what}:${secret}`).digest('base64url');

const tagOf = (familyKey: string, secret: string): string => mac(familyKey, 'tag', secret).slice(0, 22);

/** `omr_<tenant>.<session>.<secret><tag>`: the tag shows that it is of this family, now or once. */
export const refreshText = (tenant: string, session: string, familyKey: string, secret: string): string =>
  `omr_${tenant}.${session}.${secret}${tagOf(familyKey, secret)}`;

/** Undefined for what can't be one of ours. */
export const parseRefresh = (text: string): RefreshToken | undefined => {
  const [, tenant = '', session = '', secret = '', tag = ''] = pattern.exec(text) ?? [];
  return tenant === '' ? undefined : { tenant, session, secret, tag };
};

export const isOfFamily = (familyKey: string, { secret, tag }: RefreshToken): boolean =>
  sameHash(tagOf(familyKey, secret), tag);

/**
 * What follows a token. With the request's own key it is derived, so that the same request gets the same successor
 * again, without it being stored; without one it is random, and there is no second answer.
 */
export const successorOf = (familyKey: string, secret: string, requestKey: string | undefined): string =>
  requestKey === undefined ? newSecret() : mac(familyKey, `next:${requestKey}`, secret);
