import { execFile, spawn } from 'node:child_process';
import { glob, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A running emulator. */
export interface Emulator {
  /** `127.0.0.1:8085`, as FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST want it. */
  readonly host: string;
  /** Absent of one that was running before. */
  readonly pid?: number | undefined;
  /** Ends it, and returns when it has ended. Does nothing to one that was running before. */
  stop(): Promise<void>;
}

export interface EmulatorOptions {
  /** A free one where absent. */
  readonly port?: number;
  /** Gets what the emulator prints. */
  readonly log?: (text: string) => void;
}

interface Program {
  readonly name: string;
  readonly hostVariable: string;
  /** Looked for in the Google Cloud SDK, then in firebase-tools' cache. */
  readonly sdkJar: string;
  readonly firebaseJar: string;
  readonly setup: string;
  arguments(jar: string, host: string, port: number): readonly string[];
}

const firestore: Program = {
  name: 'Firestore emulator',
  hostVariable: 'FIRESTORE_EMULATOR_HOST',
  sdkJar: 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar',
  firebaseJar: 'cloud-firestore-emulator-v*.jar',
  setup: 'gcloud components install cloud-firestore-emulator, or npx firebase setup:emulators:firestore (Java 21)',
  // The SDK's jar names no main class in its manifest; firebase-tools' does, and it is this one.
  arguments: (jar, host, port) => [
    '-Duser.language=en',
    '-cp',
    jar,
    'com.google.cloud.datastore.emulator.firestore.CloudFirestore',
    'start',
    `--host=${host}`,
    `--port=${port}`,
  ],
};

const pubSub: Program = {
  name: 'Pub/Sub emulator',
  hostVariable: 'PUBSUB_EMULATOR_HOST',
  sdkJar: 'platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar',
  firebaseJar: 'pubsub-emulator-*/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar',
  setup: 'gcloud components install pubsub-emulator, or npx firebase setup:emulators:pubsub',
  arguments: (jar, host, port) => ['-jar', jar, `--host=${host}`, `--port=${port}`],
};

/** The Firestore emulator: the one that the environment names, or a new one. Fails with one clear line. */
export const startFirestore = (options: EmulatorOptions = {}): Promise<Emulator> => start(firestore, options);

/** The Pub/Sub emulator, likewise. */
export const startPubSub = (options: EmulatorOptions = {}): Promise<Emulator> => start(pubSub, options);

/** Path of a Java that runs, or undefined. */
export const findJava = async (): Promise<string | undefined> => {
  const { JAVA_HOME } = process.env;
  for (const java of [...(JAVA_HOME ? [join(JAVA_HOME, 'bin', 'java')] : []), 'java']) {
    // macOS has a `java` that only says where to get one, so being there is not enough.
    const runs = await promisify(execFile)(java, ['-version']).then(
      () => true,
      () => false,
    );
    if (runs) return java;
  }
  return undefined;
};

const start = async (program: Program, options: EmulatorOptions): Promise<Emulator> => {
  const running = process.env[program.hostVariable];
  if (running) return { host: running, stop: async () => {} };
  const [java, jar] = await Promise.all([findJava(), findJar(program)]);
  const instead = `or set ${program.hostVariable} to one that runs`;
  if (!java) throw new Error(`The ${program.name} needs Java, and none was found. Install Java 21, ${instead}.`);
  if (!jar) throw new Error(`The ${program.name} was not found. Install it (${program.setup}), ${instead}.`);
  const port = await freePort(options.port);
  if (port === undefined) throw new Error(`The ${program.name} cannot listen: port ${options.port} is taken.`);
  return launch(program, java, program.arguments(jar, '127.0.0.1', port), port, options.log);
};

const findJar = async (program: Program): Promise<string | undefined> => {
  const cache = process.env.FIREBASE_EMULATORS_PATH ?? join(homedir(), '.cache', 'firebase', 'emulators');
  const places = [...(await sdkRoots()).map((root) => join(root, program.sdkJar)), join(cache, program.firebaseJar)];
  for (const place of places) {
    const found: string[] = [];
    for await (const jar of glob(place)) found.push(jar);
    if (found.length > 0) return found.sort(byVersion).at(-1);
  }
  return undefined;
};

const byVersion = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

const sdkRoots = async (): Promise<string[]> => {
  const { CLOUDSDK_ROOT_DIR, PATH = '' } = process.env;
  const onPath = await Promise.all(
    PATH.split(delimiter).map((directory) =>
      realpath(join(directory, 'gcloud')).then(
        (gcloud) => [dirname(dirname(gcloud))],
        () => [],
      ),
    ),
  );
  const usual = ['/usr/lib/google-cloud-sdk', '/usr/share/google-cloud-sdk', join(homedir(), 'google-cloud-sdk')];
  return [...(CLOUDSDK_ROOT_DIR ? [CLOUDSDK_ROOT_DIR] : []), ...onPath.flat(), ...usual];
};

/** The wanted port, or any, if nobody listens there. The Pub/Sub emulator only hangs when it finds its port taken. */
const freePort = (wanted = 0): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(undefined));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });

/**
 * Becomes the command, beside a watcher that kills it when standard input closes: the system closes that when this
 * process ends in whatever way, a SIGKILL included. The process group is the command's own, so that a Ctrl-C on the
 * terminal does not reach an emulator before this process has finished with it.
 */
export const untilInputCloses = 'exec 3<&0; { cat <&3; kill -9 0; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

const readyWithinMs = 60_000;
const endedWithinMs = 5_000;

const launch = async (
  program: Program,
  java: string,
  args: readonly string[],
  port: number,
  log: (text: string) => void = () => {},
): Promise<Emulator> => {
  const child = spawn('sh', ['-c', untilInputCloses, 'sh', java, ...args], { detached: true, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-2_000);
      log(text);
    });
  }
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), endedWithinMs);
    await ended;
    clearTimeout(kill);
  };

  const host = `127.0.0.1:${port}`;
  const deadline = Date.now() + readyWithinMs;
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  while (!(await answers(host))) {
    if (gone || Date.now() > deadline) {
      await stop();
      throw new Error(`The ${program.name} did not start on ${host}. It said: ${output.trim() || 'nothing'}`);
    }
    await sleep(50);
  }
  return { host, pid: child.pid, stop };
};

const answers = (host: string): Promise<boolean> =>
  fetch(`http://${host}/`, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.ok,
    () => false,
  );
