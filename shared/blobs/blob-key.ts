import { OmniError } from '../kernel/errors.ts';
import type { PutOptions, SignedUrlOptions } from './blobs.ts';

const keyPattern = /^[\w.-]+(?:\/[\w.-]+)*$/;
const prefixPattern = /^(?:[\w.-]+\/)*[\w.-]*$/;
const tenantPattern = /^[\w-]{1,128}$/;
const contentTypePattern = /^[\w.+-]+\/[\w.+-]+(?:\s*;\s*[\w.-]+=(?:[\w.+-]+|"[^"\r\n]*"))*$/;
const metadataKeyPattern = /^[a-z\d][a-z\d_-]{0,63}$/;
const maxKeyLength = 512;
const maxContentTypeLength = 255;
/** Cloud Storage's limit for an object's custom metadata, in bytes (https://cloud.google.com/storage/quotas). */
const maxMetadataBytes = 8 * 1024;
const maxListLimit = 1_000;
const maxSignedSeconds = 7 * 24 * 60 * 60;

const refuse = (message: string): never => {
  throw new OmniError('invalid-request', message);
};

const hasDotSegment = (path: string): boolean => path.split('/').some((segment) => segment === '.' || segment === '..');

/** Throws `invalid-request` for a tenant that could name another place than its own. */
export const checkTenant = (tenant: string): void => {
  if (!tenantPattern.test(tenant)) refuse('The tenant is not valid.');
};

/** Throws `invalid-request` for a key that the port does not allow. */
export const checkKey = (key: string): void => {
  if (key.length > maxKeyLength || !keyPattern.test(key) || hasDotSegment(key))
    refuse('A blob key is a relative path of letters, digits, ".", "_", "-" and "/", at most 512 characters.');
};

export const checkList = (prefix: string, limit: number): void => {
  if (prefix.length > maxKeyLength || !prefixPattern.test(prefix) || hasDotSegment(prefix))
    refuse('The prefix is not the beginning of a blob key.');
  if (!Number.isInteger(limit) || limit < 1 || limit > maxListLimit) refuse('The limit is 1 to 1,000.');
};

export const checkPut = (key: string, { contentType, metadata = {} }: PutOptions): void => {
  checkKey(key);
  checkContentType(contentType);
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!metadataKeyPattern.test(name)) refuse('A metadata key is lower case letters, digits, "-" and "_".');
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (bytes > maxMetadataBytes) refuse('The metadata of a blob is at most 8 KiB.');
};

export const checkSignedUrl = (key: string, { expiresIn, contentType, maxBytes }: SignedUrlOptions): void => {
  checkKey(key);
  if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes >= 0)) refuse('The size is not valid.');
  if (contentType !== undefined) checkContentType(contentType);
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > maxSignedSeconds)
    refuse('A signed URL holds for 1 second to 7 days.');
};

/** Also what keeps a header from being split. */
const checkContentType = (contentType: string): void => {
  if (contentType.length > maxContentTypeLength || !contentTypePattern.test(contentType))
    refuse('The content type is not valid.');
};
