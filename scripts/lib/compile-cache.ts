import { createServer, type Http2Server } from 'node:http2';
import * as z from 'zod';
import { startFramework } from './framework-process.ts';
import { listen } from './ports.ts';

/** A length-delimited field of a Protocol Buffers message, shorter than 128 bytes. */
const field = (number: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);

/** The first document that a BatchGetDocumentsRequest names. */
const documentIn = (request: Buffer): Buffer =>
  Buffer.from(/projects\/[\w-]+\/databases\/[\w()-]+\/documents\/[\w/-]+/.exec(request.toString('latin1'))?.[0] ?? '');

/** Milliseconds. */
const askedWithin = 30_000;

/** A Firestore without documents, which is enough to have the client compiled by a first read. */
const emptyFirestore = (): { readonly server: Http2Server; readonly asked: Promise<void> } => {
  const { promise: asked, resolve, reject } = Promise.withResolvers<void>();
  const patience = setTimeout(() => reject(new Error('The function does not read from Firestore.')), askedWithin);
  const server = createServer().on('stream', async (stream) => {
    stream.on('error', () => {});
    const [missing, readTime] = [
      field(2, documentIn(Buffer.concat(await stream.toArray()))),
      field(4, Buffer.of(8, 1)),
    ];
    const length = Buffer.alloc(5);
    length.writeUInt32BE(missing.length + readTime.length, 1);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.once('close', () => {
      clearTimeout(patience);
      resolve();
    });
    stream.end(Buffer.concat([length, missing, readTime]));
  });
  return { server, asked };
};

const internalSecret = 'compile-cache';

/** Calls every list of the function as the platform itself, so that its code runs from the router to the response. */
const exercise = async (port: number): Promise<void> => {
  const url = `http://127.0.0.1:${port}`;
  const headers = { authorization: `Bearer ${internalSecret}`, 'omni-tenant': 'compile-cache' };
  const document: unknown = await (await fetch(`${url}/openapi.json`)).json();
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) }).parse(document);
  for (const [path, { get }] of Object.entries(paths)) {
    if (get === undefined || path.includes('{')) continue;
    const response = await fetch(`${url}/internal${path}`, { headers });
    await response.body?.cancel();
    // Some are for users only. A refusal warms the code as well; a fault must not be shipped.
    if (response.status >= 500) {
      throw new Error(`GET ${path} answers with ${response.status} while the compile cache is made.`);
    }
  }
};

const environment = { OMNI_BUS: 'embedded', OMNI_INTERNAL_SECRET: internalSecret, METADATA_SERVER_DETECTION: 'none' };

/**
 * Fills the function's V8 compile cache, which it ships with: by serving requests on the embedded store, then by
 * reading from a Firestore. Node writes the cache when a process ends, and never changes an entry, hence two runs.
 */
export const fillCompileCache = async (name: string, directory: string): Promise<void> => {
  const embedded = await startFramework({ name, directory, env: { ...environment, OMNI_STORE: 'embedded' } });
  try {
    await embedded.listening();
    await exercise(embedded.port);
  } finally {
    await embedded.stop();
  }
  const { server, asked } = emptyFirestore();
  const host = `127.0.0.1:${await listen(server, 0)}`;
  const connected = await startFramework({ name, directory, env: { ...environment, FIRESTORE_EMULATOR_HOST: host } });
  try {
    await connected.listening();
    await asked;
  } finally {
    await connected.stop();
    server.close();
  }
};
