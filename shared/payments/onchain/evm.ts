import { getAddress, keccak256, toHex } from 'viem';
import type { Hex } from './chains.ts';

/** Whatever needs viem is behind this module and `evm-endpoint.ts`, which are loaded when they are first used. */

/** Of an uncompressed public key (65 bytes), with the checksum of EIP-55. */
export const addressOfKey = (key: Uint8Array): Hex => getAddress(`0x${keccak256(toHex(key.slice(1))).slice(-40)}`);
