import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DevFile, devFileSchema } from './lib/dev-file.ts';
import { functionOf, proxyTo } from './lib/front.ts';
import { root } from './lib/functions.ts';
import { takeLock } from './lib/lock.ts';
import { manifestOf } from './lib/manifest.ts';
import { listen } from './lib/ports.ts';

const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-start-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

interface Starter {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  output(): string;
}

/** `npm start` without npm between, which would take the signals, and without the emulators of the tests. */
const start = (...args: readonly string[]): Starter => {
  const { FIRESTORE_EMULATOR_HOST: _f, PUBSUB_EMULATOR_HOST: _p, ...env } = process.env;
  const child = spawn(process.execPath, ['scripts/start.ts', ...args], { cwd: root, env, stdio: 'pipe' });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return { child, ended: once(child, 'exit'), output: () => output };
};

const started = async (starter: Starter, devFile: string): Promise<DevFile> => {
  for (;;) {
    const text = await readFile(devFile, 'utf8').catch(() => '');
    if (text.endsWith('}\n')) return devFileSchema.parse(JSON.parse(text));
    if (starter.child.exitCode !== null) throw new Error(`It ended: ${starter.output()}`);
    await sleep(20);
  }
};

describe('npm start', () => {
  it('serves every function, the reference and an index, and leaves nothing behind after Ctrl-C', async () => {
    const devFile = join(await temporaryFolder(), 'dev.json');
    const starter = start('--port', '0', '--dev-file', devFile);
    const { baseUrl, apiKey, emulators } = await started(starter, devFile);
    const statusOf = async (path: string, key?: string): Promise<number> => {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const response = await fetch(`${baseUrl}${path}`, { headers });
      await response.body?.cancel();
      return response.status;
    };

    expect((await stat(devFile)).mode & 0o777).toBe(0o600);
    expect(await statusOf('/healthz')).toBe(200);
    expect(await statusOf('/readyz')).toBe(200);
    expect(await statusOf('/api/v1/stripe/subscriptions', apiKey)).toBe(200);
    expect(await statusOf('/api/v1/stripe/subscriptions')).toBe(401);
    expect(await statusOf('/internal/jobs/platform.sweep-outbox')).toBe(404);
    expect(await statusOf('/nothing')).toBe(404);
    for (const page of ['/', '/docs', '/docs/init.js', '/docs/swagger-ui-bundle.js', '/openapi.json']) {
      expect(await statusOf(page), page).toBe(200);
    }
    expect(await (await fetch(`${baseUrl}/docs`)).text()).not.toContain('//');
    expect(starter.output()).toContain(apiKey);

    starter.child.kill('SIGINT');
    await starter.ended;
    expect(starter.child.exitCode, starter.output()).toBe(0);
    for (const host of [new URL(baseUrl).host, emulators.firestore, emulators.pubSub]) {
      await expect(fetch(`http://${host ?? ''}/`), host ?? '').rejects.toThrow();
    }
    await expect(stat(devFile)).rejects.toThrow('ENOENT');
  });

  it('says in one line how to choose another port when its own is taken', async () => {
    const server = createServer();
    onTestFinished(() => {
      server.close();
    });
    const port = await listen(server, 0);
    const starter = start('--port', String(port), '--dev-file', join(await temporaryFolder(), 'dev.json'));
    await starter.ended;
    expect(starter.child.exitCode).toBe(1);
    expect(starter.output()).toBe(
      `Port ${port} is taken. Choose another: npm start -- --port ${port + 1} (0 takes a free one).\n`,
    );
  });
});

describe('the lock', () => {
  it('keeps a second starter out while the first lives, and is free again afterwards', async () => {
    const path = join(await temporaryFolder(), 'lock');
    const lock = await takeLock(path);
    await expect(takeLock(path)).rejects.toThrow(`kill ${process.pid}`);
    await lock.release();
    await (await takeLock(path)).release();
  });

  it('is taken over from a process that is gone', async () => {
    const path = join(await temporaryFolder(), 'lock');
    const gone = spawn(process.execPath, ['--version']);
    await once(gone, 'exit');
    await writeFile(path, `${gone.pid}\n`);
    expect((await takeLock(path)).stale).toBe(gone.pid);
  });
});

describe('the front', () => {
  const common = { routes: () => [], jobs: [], schedules: [], collections: [], secrets: [] };
  const job = {
    name: 'b.work',
    timeout: 60,
    maxAttempts: 5,
    ordered: false,
    backoff: { min: 10, max: 600 },
    eventTypes: ['x'],
    run: async () => {},
  };
  const manifest = manifestOf([
    { ...common, name: 'a', paths: ['/api/v1/things'] },
    { ...common, name: 'b', paths: ['/api/v1/others'], jobs: [job] },
  ]);

  it.each([
    ['/api/v1/others', 'b'],
    ['/api/v1/others/1', 'b'],
    ['/internal/api/v1/others/1', 'b'],
    ['/internal/jobs/b.work', 'b'],
    ['/api/v1/otherwise', 'a'],
    ['/healthz', 'a'],
  ])('hands %s to %s', (path, name) => {
    expect(functionOf(manifest, path)).toBe(name);
  });

  it('hands body, headers and status through to another process, and says who asked', async () => {
    const behind = createServer((request, response) => {
      response.writeHead(201, { 'x-for': String(request.headers['x-forwarded-for']) });
      request.pipe(response);
    });
    const front = createServer(proxyTo(await listen(behind, 0)));
    onTestFinished(() => {
      behind.close();
      front.close();
    });
    const url = `http://127.0.0.1:${await listen(front, 0)}/`;
    const response = await fetch(url, { method: 'POST', body: 'hello', headers: { 'x-forwarded-for': '192.0.2.1' } });
    expect([response.status, response.headers.get('x-for')]).toEqual([201, '192.0.2.1, 127.0.0.1']);
    expect(await response.text()).toBe('hello');
  });

  it('answers with 502 for a process that is gone', async () => {
    const front = createServer(proxyTo(1));
    onTestFinished(() => {
      front.close();
    });
    expect((await fetch(`http://127.0.0.1:${await listen(front, 0)}/`)).status).toBe(502);
  });
});
