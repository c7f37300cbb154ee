import { createServer } from 'node:net';
import { expect, inject, it, onTestFinished } from 'vitest';
import { startFirestore, startPubSub } from './emulators.ts';

it('uses the emulators that the environment names, and leaves them running', async () => {
  const firestore = await startFirestore();
  const pubSub = await startPubSub();
  expect([firestore.host, pubSub.host]).toEqual([inject('firestoreHost'), inject('pubSubHost')]);

  await Promise.all([firestore.stop(), pubSub.stop()]);
  expect((await fetch(`http://${firestore.host}/`)).status).toBe(200);
});

it('starts one of its own and stops it', async () => {
  const host = process.env.PUBSUB_EMULATOR_HOST;
  delete process.env.PUBSUB_EMULATOR_HOST;
  onTestFinished(() => {
    process.env.PUBSUB_EMULATOR_HOST = host;
  });
  const printed: string[] = [];
  const emulator = await startPubSub({ log: (text) => printed.push(text) });
  expect((await fetch(`http://${emulator.host}/`)).status).toBe(200);
  expect(printed.join('')).toContain('Server started');

  await emulator.stop();
  await expect(fetch(`http://${emulator.host}/`)).rejects.toThrow();
});

it('says what stands in the way when the port is taken', async () => {
  const host = process.env.PUBSUB_EMULATOR_HOST;
  delete process.env.PUBSUB_EMULATOR_HOST;
  const server = createServer((socket) => socket.destroy());
  onTestFinished(() => {
    process.env.PUBSUB_EMULATOR_HOST = host;
    server.close();
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await expect(startPubSub({ port })).rejects.toThrow(`port ${port} is taken`);
});

it('runs under the Node that the project pins', () => {
  expect(Number.parseInt(process.versions.node, 10)).toBeGreaterThanOrEqual(24);
});
