import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { CallOptions } from 'google-gax';
import { OmniError } from '../../kernel/errors.ts';
import { within } from '../../kernel/within.ts';
import { crc32c } from './crc32c.ts';
import type { KeyManagement } from './key-management.ts';

export interface CloudKmsOptions {
  /** `projects/…/locations/…/keyRings/…/cryptoKeys/…`, a symmetric key. Its own rotation needs nothing from us. */
  readonly keyName: string;
  /** `127.0.0.1:9000` of a server that speaks the gRPC API without TLS, for tests. No credentials go there. */
  readonly endpoint?: string;
  /** Milliseconds for one call with its retries. Default 10 s. */
  readonly timeout?: number;
}

const defaultTimeout = 10_000;
const prefix = 'kms1.';

/** gRPC's numbers (https://grpc.io/docs/guides/status-codes). */
const [invalidArgument, deadlineExceeded, resourceExhausted, aborted, internal, unavailable] = [3, 4, 8, 10, 13, 14];

const retryable = [deadlineExceeded, resourceExhausted, aborted, internal, unavailable];

const translate = (error: unknown): OmniError => {
  if (error instanceof OmniError) return error;
  const status = error instanceof Error && 'code' in error ? Number(error.code) : undefined;
  if (status === invalidArgument) {
    return new OmniError('stored-data-invalid', 'A wrapped key cannot be unwrapped.', { cause: error });
  }
  return status === undefined || retryable.includes(status)
    ? new OmniError('unavailable', 'Key management does not answer.', { cause: error })
    : new OmniError('internal', 'Key management refused the call.', { cause: error });
};

const connect = async (endpoint: string | undefined): Promise<KeyManagementServiceClient> => {
  const { KeyManagementServiceClient } = await import('@google-cloud/kms');
  if (endpoint === undefined) return new KeyManagementServiceClient();
  const [{ credentials }, { GoogleAuth, PassThroughClient }] = await Promise.all([
    import('@grpc/grpc-js'),
    import('google-auth-library'),
  ]);
  const { hostname, port } = new URL(`http://${endpoint}`);
  return new KeyManagementServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Else the SDK looks for the credentials of a machine in Google Cloud.
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  });
};

type Checksum = { readonly value?: unknown } | null | undefined;

const matches = (sum: Checksum, bytes: Uint8Array): boolean => Number(sum?.value ?? 0) === crc32c(bytes);

const bytesOf = (value: Uint8Array | string | null | undefined): Buffer =>
  typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.from(value ?? []);

/** A bit that flipped on its way would make a key that nobody has. The call is right to be made again. */
const damaged = (): OmniError => new OmniError('unavailable', 'What key management answered was damaged on its way.');

/**
 * The master key in Cloud KMS. Both ways are covered by checksums
 * (https://cloud.google.com/kms/docs/data-integrity-guidelines). It connects at the first use.
 */
export const cloudKms = ({ keyName: name, endpoint, timeout = defaultTimeout }: CloudKmsOptions): KeyManagement => {
  let connecting: Promise<KeyManagementServiceClient> | undefined;
  // The SDK retries with jitter. Both calls may be repeated: neither changes anything.
  const options: CallOptions = {
    timeout,
    retry: {
      retryCodes: retryable,
      backoffSettings: {
        initialRetryDelayMillis: 50,
        retryDelayMultiplier: 2,
        maxRetryDelayMillis: 2_000,
        initialRpcTimeoutMillis: timeout / 2,
        rpcTimeoutMultiplier: 1,
        maxRpcTimeoutMillis: timeout / 2,
        totalTimeoutMillis: timeout,
      },
    },
  };
  const call = async <R>(work: (client: KeyManagementServiceClient) => Promise<R>): Promise<R> => {
    connecting ??= connect(endpoint);
    const connected = connecting;
    try {
      return await within(timeout / 1000, async () => work(await connected));
    } catch (error) {
      throw translate(error);
    }
  };
  const sums = (context: Buffer) => ({
    additionalAuthenticatedData: context,
    additionalAuthenticatedDataCrc32c: { value: crc32c(context) },
  });

  return {
    wrap: (key, context) =>
      call(async (client) => {
        const plaintext = Buffer.from(key);
        const request = {
          name,
          plaintext,
          plaintextCrc32c: { value: crc32c(plaintext) },
          ...sums(Buffer.from(context)),
        };
        const [answer] = await client.encrypt(request, options);
        const sealed = bytesOf(answer.ciphertext);
        const intact =
          answer.verifiedPlaintextCrc32c === true &&
          answer.verifiedAdditionalAuthenticatedDataCrc32c === true &&
          matches(answer.ciphertextCrc32c, sealed);
        if (!intact) throw damaged();
        return `${prefix}${sealed.toString('base64url')}`;
      }),
    unwrap: (wrapped, context) =>
      call(async (client) => {
        if (!wrapped.startsWith(prefix)) {
          throw new OmniError('stored-data-invalid', 'A key is wrapped by other key management than this.');
        }
        const ciphertext = Buffer.from(wrapped.slice(prefix.length), 'base64url');
        const request = {
          name,
          ciphertext,
          ciphertextCrc32c: { value: crc32c(ciphertext) },
          ...sums(Buffer.from(context)),
        };
        const [answer] = await client.decrypt(request, options);
        const plaintext = bytesOf(answer.plaintext);
        if (!matches(answer.plaintextCrc32c, plaintext)) throw damaged();
        return plaintext;
      }),
    close: async () => {
      await (await connecting)?.close();
    },
  };
};
