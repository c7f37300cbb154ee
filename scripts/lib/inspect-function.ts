import type { Use } from '#shared/runtime/function.ts';
import { groundCollections, type Runtime } from '#shared/runtime/runtime.ts';
import type { AnyCollection } from '#shared/store/collection.ts';
import { encryptedFieldsOf } from '#shared/store/encrypted-field.ts';
import type { FunctionFolder } from './functions.ts';
import type { Findings } from './manifest.ts';

/** What of the runtime leads to what of the cloud. */
const usesByPart: Readonly<Record<string, Use>> = {
  blobs: 'blobs',
  lockedBlobs: 'locked-blobs',
  keyRings: 'encryption',
  fieldEncryption: 'encryption',
  protector: 'token-signing',
  signingKeys: 'token-signing',
};

const isEncrypted = ({ schema }: AnyCollection): boolean =>
  schema !== undefined && encryptedFieldsOf(schema).length > 0;

/** The runtime itself, which notes what is taken from it. */
const watch = (runtime: Runtime) => {
  const taken = new Set<PropertyKey>();
  const opened: AnyCollection[] = [];
  const database: Runtime['database'] = {
    ...runtime.database,
    tenants: (collection) => {
      opened.push(collection);
      return runtime.database.tenants(collection);
    },
    platform: (collection) => {
      opened.push(collection);
      return runtime.database.platform(collection);
    },
  };
  const watched = new Proxy(
    { ...runtime, database },
    {
      get: (target, part, receiver) => {
        taken.add(part);
        return Reflect.get(target, part, receiver);
      },
    },
  );
  return { watched, taken, opened };
};

const providerIn = (path: string): string | undefined => /^\/webhooks\/([a-z0-9-]+)/.exec(path)?.[1];

/**
 * Makes a function's services and finds what they take from the runtime, from which follows what its service account
 * must be allowed. Who spreads the whole runtime takes all of it.
 */
export const inspectFunction = (
  { definition, createServices }: FunctionFolder,
  runtime: Runtime,
): { readonly services: unknown; readonly findings: Findings } => {
  const { watched, taken, opened } = watch(runtime);
  const services = createServices(watched);
  const uses = new Set<Use>();
  for (const [part, use] of Object.entries(usesByPart)) if (taken.has(part)) uses.add(use);
  if ([...definition.collections, ...opened, ...groundCollections].some(isEncrypted)) uses.add('encryption');
  const webhooks = new Map<string, string>();
  for (const { endpoint } of definition.routes(services)) {
    const provider = providerIn(endpoint.path);
    if (provider !== undefined) webhooks.set(`/webhooks/${provider}`, provider);
  }
  return {
    services,
    findings: { uses: [...uses], webhooks: [...webhooks].map(([path, provider]) => ({ provider, path })) },
  };
};
