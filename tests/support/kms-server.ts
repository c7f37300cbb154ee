import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { protos } from '@google-cloud/kms';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { crc32c } from '#shared/security/encryption/crc32c.ts';

const { EncryptRequest, EncryptResponse, DecryptRequest, DecryptResponse } = protos.google.cloud.kms.v1;

export interface KmsServer {
  /** `127.0.0.1:port` */
  readonly endpoint: string;
  readonly keyName: string;
  /** Calls that came, by method. */
  readonly calls: { encrypt: number; decrypt: number };
  /** What the next calls get in the place of an answer: a gRPC status, nothing at all, or bytes with a bit flipped. */
  readonly fail: (...next: readonly (number | 'silent' | 'damaged')[]) => void;
  close(): Promise<void>;
}

/** The limit of both fields of a software key (https://cloud.google.com/kms/docs/reference/rpc/google.cloud.kms.v1). */
const maxBytes = 65_536;

class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const bytesOf = (value: Uint8Array | string | null | undefined): Buffer =>
  typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.from(value ?? []);

type Checksum = { value?: unknown } | null | undefined;

/** True where a checksum was sent. A wrong one is refused, as the vendor does. */
const verified = (sum: Checksum, bytes: Uint8Array): boolean => {
  if (sum === null || sum === undefined) return false;
  if (Number(sum.value) !== crc32c(bytes)) throw new Refusal(status.INVALID_ARGUMENT, 'The checksum does not match.');
  return true;
};

const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
};

/** Cloud KMS' Encrypt and Decrypt over gRPC, by its own protocol buffers, with one symmetric key of two versions. */
export const startKmsServer = async (): Promise<KmsServer> => {
  const keyName = 'projects/omni/locations/europe-west1/keyRings/omni/cryptoKeys/tenants';
  const versions = [randomBytes(32), randomBytes(32)];
  const calls = { encrypt: 0, decrypt: 0 };
  let next: (number | 'silent' | 'damaged')[] = [];

  const checkName = (name: string | null | undefined): void => {
    if (!/^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/.test(name ?? '')) {
      throw new Refusal(status.INVALID_ARGUMENT, 'This is no name of a key.');
    }
    if (name !== keyName) throw new Refusal(status.NOT_FOUND, 'There is no such key.');
  };

  const encrypt = (request: protos.google.cloud.kms.v1.IEncryptRequest, damage: boolean) => {
    checkName(request.name);
    const [plaintext, context] = [bytesOf(request.plaintext), bytesOf(request.additionalAuthenticatedData)];
    if (plaintext.length === 0 || plaintext.length > maxBytes || context.length > maxBytes) {
      throw new Refusal(status.INVALID_ARGUMENT, 'The plaintext or the additional data has a wrong size.');
    }
    const answer = {
      name: `${keyName}/cryptoKeyVersions/${versions.length}`,
      verifiedPlaintextCrc32c: verified(request.plaintextCrc32c, plaintext),
      verifiedAdditionalAuthenticatedDataCrc32c: verified(request.additionalAuthenticatedDataCrc32c, context),
    };
    const version = calls.encrypt % versions.length;
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', versions[version] ?? '', iv).setAAD(context);
    const sealed = Buffer.concat([
      Buffer.of(version),
      iv,
      cipher.update(plaintext),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return EncryptResponse.create({
      ...answer,
      ciphertext: damage ? flipped(sealed) : sealed,
      ciphertextCrc32c: { value: crc32c(sealed) },
    });
  };

  const decrypt = (request: protos.google.cloud.kms.v1.IDecryptRequest, damage: boolean) => {
    checkName(request.name);
    const [sealed, context] = [bytesOf(request.ciphertext), bytesOf(request.additionalAuthenticatedData)];
    verified(request.ciphertextCrc32c, sealed);
    verified(request.additionalAuthenticatedDataCrc32c, context);
    try {
      const key = versions[sealed[0] ?? -1] ?? '';
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13), { authTagLength: 16 });
      decipher.setAAD(context).setAuthTag(sealed.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(sealed.subarray(13, -16)), decipher.final()]);
      return DecryptResponse.create({
        plaintext: damage ? flipped(plaintext) : plaintext,
        plaintextCrc32c: { value: crc32c(plaintext) },
        usedPrimary: sealed[0] === versions.length - 1,
      });
    } catch {
      throw new Refusal(status.INVALID_ARGUMENT, 'Decryption failed: verify that the name and the data are right.');
    }
  };

  const answering =
    <Q, R>(kind: keyof typeof calls, work: (request: Q, damage: boolean) => R) =>
    ({ request }: ServerUnaryCall<Q, R>, callback: sendUnaryData<R>): void => {
      calls[kind] += 1;
      const [failure, ...rest] = next;
      next = rest;
      if (failure === 'silent') return;
      try {
        if (typeof failure === 'number') throw new Refusal(failure, 'As the test wanted.');
        callback(null, work(request, failure === 'damaged'));
      } catch (error) {
        callback({ code: error instanceof Refusal ? error.code : status.INTERNAL, details: String(error) });
      }
    };

  const server = new Server();
  const path = '/google.cloud.kms.v1.KeyManagementService';
  const unary = { requestStream: false, responseStream: false } as const;
  server.addService(
    {
      encrypt: {
        path: `${path}/Encrypt`,
        ...unary,
        requestSerialize: (message: protos.google.cloud.kms.v1.IEncryptRequest) =>
          Buffer.from(EncryptRequest.encode(message).finish()),
        requestDeserialize: (bytes: Buffer) => EncryptRequest.decode(bytes),
        responseSerialize: (message: protos.google.cloud.kms.v1.IEncryptResponse) =>
          Buffer.from(EncryptResponse.encode(message).finish()),
        responseDeserialize: (bytes: Buffer) => EncryptResponse.decode(bytes),
      },
      decrypt: {
        path: `${path}/Decrypt`,
        ...unary,
        requestSerialize: (message: protos.google.cloud.kms.v1.IDecryptRequest) =>
          Buffer.from(DecryptRequest.encode(message).finish()),
        requestDeserialize: (bytes: Buffer) => DecryptRequest.decode(bytes),
        responseSerialize: (message: protos.google.cloud.kms.v1.IDecryptResponse) =>
          Buffer.from(DecryptResponse.encode(message).finish()),
        responseDeserialize: (bytes: Buffer) => DecryptResponse.decode(bytes),
      },
    },
    { encrypt: answering('encrypt', encrypt), decrypt: answering('decrypt', decrypt) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    endpoint: `127.0.0.1:${port}`,
    keyName,
    calls,
    fail: (...failures) => {
      next = [...failures];
    },
    close: async () => server.forceShutdown(),
  };
};
