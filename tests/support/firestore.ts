import { randomBytes } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';
import { afterAll, inject } from 'vitest';
import { type FirestoreOptions, firestoreDatabase } from '#shared/store/firestore.ts';
import type { Database } from '#shared/store/store.ts';

/** A project of its own on the emulator: nobody else sees what a test keeps there, nor it theirs. */
export const newProjectId = (): string => `test-${randomBytes(6).toString('hex')}`;

/** A Firestore database that nobody else uses, closed after the file's last test. */
export const testDatabase = (options: Partial<FirestoreOptions> = {}): Database => {
  const database = firestoreDatabase({ projectId: newProjectId(), emulatorHost: inject('firestoreHost'), ...options });
  afterAll(() => database.close());
  return database;
};

/** Google's own client of the same project, for what only the database itself shows. Closed after the last test. */
export const rawFirestore = (projectId: string): Firestore => {
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  const client = new Firestore({ projectId, host: inject('firestoreHost'), ssl: false, auth });
  afterAll(() => client.terminate());
  return client;
};
