import type { BlobStore, Blobs } from '../blobs/blobs.ts';
import { defineEvent, type MakeEvent } from '../events/define-event.ts';
import { defineJob, type Job } from '../events/define-job.ts';
import type { Clock } from '../kernel/clock.ts';
import { derivedId } from '../kernel/ids.ts';
import type { AnyCollection } from '../store/collection.ts';
import type { Database } from '../store/store.ts';
import { continuedSchema, domainErased, tenantErasureDue } from './erasure.events.ts';

/** What an eraser works with. */
export interface Erasing {
  readonly database: Pick<Database, 'erase' | 'eraseWhere' | 'platform' | 'transaction'>;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

export interface ErasureServices {
  readonly erasing: Erasing & { readonly makeEvent: MakeEvent };
}

export interface EraserDefinition {
  /** As in `shared/<domain>`; unique. */
  readonly domain: string;
  /** Every tenant collection of the domain, and every platform collection whose documents name a tenant in `tenant`. */
  readonly collections: readonly AnyCollection[];
  /** Blobs whose keys begin so. */
  readonly blobPrefixes?: readonly string[];
  /** By the name of a platform collection, what is to be kept before documents of these ids go. It may be done twice. */
  readonly leaving?: Readonly<Record<string, (erasing: Erasing, ids: readonly string[]) => Promise<void>>>;
  /** Unique reservations of the tenant, which no domain has for itself. */
  readonly reservations?: true;
}

/** One place that something of a tenant may be in. */
interface Target {
  /** Deletes some of it; false once there is nothing more. */
  erase(erasing: Erasing, tenant: string): Promise<boolean>;
}

export interface Eraser extends EraserDefinition {
  /** Deletes a page from every place. False where all of them were empty. */
  sweep(erasing: Erasing, tenant: string): Promise<boolean>;
  /** Belongs into the jobs of the domain's function. */
  readonly job: Job<ErasureServices>;
}

/** Below Firestore's 500 writes of one commit. */
const pageLength = 400;
const blobsAtOnce = 100;
/** What one run deletes at most, so that it ends well before its time is up. */
const pagesPerRun = 50;

const eraseBlobs = async (blobs: Blobs, prefix: string): Promise<boolean> => {
  const { items } = await blobs.list({ prefix, limit: blobsAtOnce });
  await Promise.all(items.map(({ key }) => blobs.delete(key)));
  return items.length === blobsAtOnce;
};

const erasePlatform = (erasing: Erasing, tenant: string, name: string, leaving: EraserDefinition['leaving']) => {
  const leave = leaving?.[name];
  const first = leave && ((ids: readonly string[]) => leave(erasing, ids));
  return erasing.database.eraseWhere(name, 'tenant', tenant, pageLength, first);
};

const targetsOf = ({ collections, blobPrefixes = [], reservations, leaving }: EraserDefinition): readonly Target[] => [
  ...collections.map(
    ({ name, scope }): Target => ({
      erase: async (erasing, tenant) => {
        const erased =
          scope === 'tenant'
            ? await erasing.database.erase(tenant, name, pageLength)
            : await erasePlatform(erasing, tenant, name, leaving);
        return erased === pageLength;
      },
    }),
  ),
  ...(reservations
    ? [
        {
          erase: async ({ database }: Erasing, tenant: string) =>
            (await database.erase(tenant, 'unique', pageLength)) === pageLength,
        },
      ]
    : []),
  ...blobPrefixes.map((prefix): Target => ({ erase: ({ blobs }, tenant) => eraseBlobs(blobs.of(tenant), prefix) })),
];

const isAnythingIn = async (
  { collections, blobPrefixes = [], reservations, leaving }: EraserDefinition,
  erasing: Erasing,
  tenant: string,
): Promise<boolean> => {
  const { database, blobs } = erasing;
  const names = [
    ...collections.filter(({ scope }) => scope === 'tenant').map(({ name }) => name),
    ...(reservations ? ['unique'] : []),
  ];
  const platform = collections.filter(({ scope }) => scope === 'platform');
  const counts = await Promise.all([
    ...names.map((name) => database.erase(tenant, name, pageLength)),
    ...platform.map(({ name }) => erasePlatform(erasing, tenant, name, leaving)),
    ...blobPrefixes.map(async (prefix) => (await blobs.of(tenant).list({ prefix, limit: 1 })).items.length),
  ]);
  return counts.some((count) => count > 0);
};

/**
 * A domain's part in forgetting a tenant: it lists once what it keeps, and gets the job that empties it. The job asks
 * for no position: what is deleted is gone, so a run that died is repeated from where it got to. Deletions stand by
 * themselves; what happens once, through the inbox, is the word that the domain is done.
 */
export const defineEraser = (definition: EraserDefinition): Eraser => {
  const { domain } = definition;
  const targets = targetsOf(definition);
  const continued = defineEvent(`${domain}.erasure.continued`, continuedSchema);

  /** The place to go on at, or undefined when all are empty. */
  const run = async (
    erasing: Erasing,
    tenant: string,
    from: number,
    signal: AbortSignal,
  ): Promise<number | undefined> => {
    let pages = 0;
    for (const [index, target] of targets.entries()) {
      if (index < from) continue;
      while (await target.erase(erasing, tenant)) {
        pages += 1;
        if (pages >= pagesPerRun || signal.aborted) return index;
      }
    }
    return undefined;
  };

  const job = defineJob({
    name: `${domain}.erase-tenant`,
    on: [tenantErasureDue, continued],
    timeout: 300,
    maxAttempts: 20,
    handle: async ({ tenant, data }, { commit, signal }, { erasing }: ErasureServices) => {
      const position = continuedSchema.safeParse(data);
      const [from, number] = position.success ? [position.data.target, position.data.run] : [0, 0];
      const { scope, round } = data;
      const target = await run(erasing, tenant, from, signal);
      const id = derivedId('evt', 'erasure', tenant, domain, String(round), String(number));
      const event =
        target === undefined
          ? erasing.makeEvent(domainErased, { id, tenant, subject: tenant, data: { scope, round, domain } })
          : erasing.makeEvent(continued, {
              id,
              tenant,
              subject: tenant,
              data: { scope, round, target, run: number + 1 },
            });
      await commit((transaction) => transaction.emit(event));
    },
  });

  return { ...definition, job, sweep: (erasing, tenant) => isAnythingIn(definition, erasing, tenant) };
};
