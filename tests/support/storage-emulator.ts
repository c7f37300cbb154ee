import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The parts of firebase-tools' private storage emulator that are used here. Its version is pinned exactly. */
interface EmulatorModule {
  readonly StorageEmulator: new (options: {
    projectId: string;
    rules: readonly unknown[];
  }) => {
    readonly _persistence: { reset(folder: string): void };
  };
}
interface RegistryModule {
  readonly EmulatorRegistry: { set(name: 'storage', emulator: object): void };
}
interface ServerModule {
  createApp(projectId: string, emulator: object): Promise<RequestListener>;
}

export interface StorageEmulator {
  /** `http://127.0.0.1:port`; the port is free at the time. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

/**
 * Firebase's Cloud Storage emulator, in this process and without Java: its application is served by our own HTTP server,
 * so that its rules runtime, which guards other clients than ours, never starts. Buckets come into being when used.
 */
export const startStorageEmulator = async (port = 0): Promise<StorageEmulator> => {
  const require = createRequire(import.meta.url);
  const { StorageEmulator }: EmulatorModule = require('firebase-tools/lib/emulator/storage');
  const { EmulatorRegistry }: RegistryModule = require('firebase-tools/lib/emulator/registry');
  const { createApp }: ServerModule = require('firebase-tools/lib/emulator/storage/server');

  const emulator = new StorageEmulator({ projectId: 'demo-omni', rules: [] });
  // By default all emulators of a machine share one folder, and the first to stop deletes it.
  const folder = await mkdtemp(join(tmpdir(), 'omni-storage-'));
  emulator._persistence.reset(folder);

  const server = createServer(await createApp('demo-omni', emulator));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The storage emulator has no port.');
  // It writes its own address into what it answers.
  EmulatorRegistry.set('storage', {
    getInfo: () => ({ name: 'storage', host: '127.0.0.1', port: address.port }),
  });
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
};
