import type { TestProject } from 'vitest/node';
import { startFirestore, startPubSub } from '#scripts/lib/emulators.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `127.0.0.1:…` */
    firestoreHost: string;
    /** `127.0.0.1:…` */
    pubSubHost: string;
  }
}

/** Starts both emulators once for all test files, and stops them after the last. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  // When one fails, Vitest ends, and the other ends with it.
  const [firestore, pubSub] = await Promise.all([startFirestore(), startPubSub()]);
  provide('firestoreHost', firestore.host);
  provide('pubSubHost', pubSub.host);
  // Google's clients look here themselves; the workers inherit it.
  process.env.FIRESTORE_EMULATOR_HOST = firestore.host;
  process.env.PUBSUB_EMULATOR_HOST = pubSub.host;
  return async () => {
    await Promise.all([firestore.stop(), pubSub.stop()]);
  };
};
