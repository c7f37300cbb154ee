import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** DER, as much of it as a certificate is made of: ITU-T X.690, and RFC 5280 for what goes where. */
const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const integer = (value: number): Buffer => der(0x02, Buffer.from([value]));
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const bits = (content: Uint8Array): Buffer => der(0x03, Buffer.from([0]), content);
const yes = der(0x01, Buffer.from([0xff]));
const time = (milliseconds: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(milliseconds).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`));
const name = (common: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(common)))));

/** ecdsa-with-SHA256, which the authorities here sign with. */
const algorithm = sequence(oid('2a8648ce3d040302'));

export interface Issued {
  readonly pem: string;
  readonly key: KeyObject;
  readonly name: string;
}

export interface CertificateRequest {
  readonly name: string;
  /** Who issues it; itself where absent. */
  readonly by?: Issued;
  readonly authority?: boolean;
  readonly from?: string;
  readonly to?: string;
  /** Of an RSA key; an elliptic one of an authority where absent. */
  readonly modulusLength?: number;
}

const keysOf = (modulusLength: number | undefined) =>
  modulusLength === undefined
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength });

let serial = 0;

/** A certificate of a test's own authority, or that authority. */
export const issue = (request: CertificateRequest): Issued => {
  const { name: subject, by, authority = false, from = '2020-01-01', to = '2120-01-01', modulusLength } = request;
  const { publicKey, privateKey } = keysOf(modulusLength);
  const signer = by ?? { key: privateKey, name: subject };
  serial = (serial + 1) % 128;
  const constraints = sequence(oid('551d13'), yes, octets(sequence(...(authority ? [yes] : []))));
  const names = sequence(oid('551d11'), octets(sequence(der(0x82, Buffer.from(subject)))));
  const content = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    algorithm,
    name(signer.name),
    sequence(time(Date.parse(from)), time(Date.parse(to))),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(constraints, ...(authority ? [] : [names]))),
  );
  const encoded = sequence(content, algorithm, bits(sign('sha256', content, signer.key))).toString('base64');
  const pem = `-----BEGIN CERTIFICATE-----\n${encoded.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  return { pem, key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), name: subject };
};
