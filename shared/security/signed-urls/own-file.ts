/** Where a tenant keeps files of its own: no key that a client gives reaches what Omni itself keeps for the tenant. */
const folder = 'files/';

/** The blob's key. The blobs refuse one with dots that lead elsewhere. */
export const ownFile = (file: string): string => `${folder}${file}`;
