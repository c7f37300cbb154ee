import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';

/** What tools need to know of a running `npm start`. It holds secrets of this run, so only its owner may read it. */
export const devFileSchema = z.strictObject({
  baseUrl: z.url(),
  tenant: z.string(),
  apiKey: z.string(),
  webhookSecrets: z.strictObject({ stripe: z.string(), shopify: z.string() }),
  /** The sandbox of the reference gateway: what its `/sandbox/…` paths want as a bearer. */
  acmePay: z.strictObject({ url: z.url(), adminToken: z.string() }),
  /** Proves a caller internal: `Authorization: Bearer …` on paths under `/internal`. */
  internalToken: z.string(),
  projectId: z.string(),
  topic: z.string(),
  /** `127.0.0.1:…`; null where the embedded one stands in. */
  emulators: z.strictObject({ firestore: z.string().nullable(), pubSub: z.string().nullable() }),
  /** The functions' processes; none where they run inside the starter. */
  pids: z.array(z.int()),
});
export type DevFile = z.infer<typeof devFileSchema>;

/** Written when everything answers, so whoever waits for the file waits for that. */
export const writeDevFile = async (path: string, content: DevFile): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await writeFile(path, `${JSON.stringify(devFileSchema.parse(content), null, 2)}\n`, { mode: 0o600 });
};
