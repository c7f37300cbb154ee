import { randomBytes } from 'node:crypto';
import { sha256 } from '../../kernel/json.ts';

/** 256 bits, base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** A secret that names its tenant, because nothing else says where to look for it. */
export interface TenantSecret {
  readonly tenant: string;
  readonly secret: string;
}

const pattern = /^oml_([a-z0-9-]{2,63})\.([\w-]{43})$/;

/** The text of a link in a mail: `oml_<tenant>.<secret>`. */
export const linkText = ({ tenant, secret }: TenantSecret): string => `oml_${tenant}.${secret}`;

/** Undefined for what can't be one of ours. */
export const parseLink = (text: string): TenantSecret | undefined => {
  const [, tenant, secret] = pattern.exec(text) ?? [];
  return tenant === undefined || secret === undefined ? undefined : { tenant, secret };
};

/** What is stored of a secret with 256 bits of entropy, to which a slow hash would add nothing. Hex. */
export const hashOf = (secret: string): string => sha256(secret);
