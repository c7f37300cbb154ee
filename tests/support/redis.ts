import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { untilInputCloses } from '#scripts/lib/emulators.ts';

/** Tests on a real Redis run where there is one; `describe.skipIf(!redisIsInstalled)` shows where there is none. */
export const redisIsInstalled = spawnSync('redis-server', ['--version']).status === 0;

export interface RedisServer {
  readonly url: string;
  /** Connected but silent, like an overloaded server. */
  pause(): void;
  resume(): void;
  /** Kills the process. `start` brings an empty one back at the same address. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  return address.port;
};

const spawnRedis = async (port: number) => {
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    tmpdir(),
  ];
  // It ends with this process, however that ends, and holds none of its pipes open.
  const child = spawn('sh', ['-c', untilInputCloses, 'sh', 'redis-server', ...options], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let output = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    output += chunk;
    if (output.includes('Ready to accept connections')) break;
  }
  if (child.exitCode !== null) throw new Error(`redis-server ended at once: ${output}`);
  // Read on, or the pipe fills up and the server stops.
  child.stdout.resume();
  return child;
};

export const startRedis = async (): Promise<RedisServer> => {
  const port = await freePort();
  let child = await spawnRedis(port);
  return {
    url: `redis://127.0.0.1:${port}`,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    start: async () => {
      child = await spawnRedis(port);
    },
  };
};
