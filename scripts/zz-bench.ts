import { Firestore } from '@google-cloud/firestore';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';
import { billing } from './bench/billing.ts';
const projectId = `bench-${Date.now()}`;
const firestore = new Firestore({ projectId, host: '127.0.0.1:8585', ssl: false, auth: new GoogleAuth({ authClient: new PassThroughClient() }) });
const environment = { GOOGLE_CLOUD_PROJECT: projectId, FIRESTORE_EMULATOR_HOST: '127.0.0.1:8585', OMNI_BUS: 'embedded', OMNI_KEY_FILE: '/tmp/bl/keys.json', OMNI_BLOB_DIRECTORY: '/tmp/bl/blobs' };
const rows = await billing({ environment, firestore } as never);
console.log(JSON.stringify(rows.map(({ name, ours, baseline, ratio }) => ({ name, ours, baseline, ratio })), null, 1));
process.exit(0);
