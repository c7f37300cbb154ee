import * as z from 'zod';
import { environmentNames } from '#shared/config/config.ts';
import type { FunctionDefinition, Use } from '#shared/runtime/function.ts';
import { firestoreIndexes } from '#shared/store/indexes.ts';

const jobSchema = z.strictObject({
  name: z.string(),
  eventTypes: z.array(z.string()),
  /** The push subscription's filter (https://cloud.google.com/pubsub/docs/subscription-message-filter). */
  filter: z.string(),
  /** Seconds. */
  timeout: z.int(),
  /** Seconds for which Pub/Sub waits for an answer to a push: the job's time and a little, within what it allows. */
  ackDeadline: z.int(),
  maxAttempts: z.int(),
  /** Deliveries after which Pub/Sub itself gives up. More than the job's own: being busy or down is no attempt of it. */
  maxDeliveries: z.int(),
  /** Seconds between deliveries that fail. */
  backoff: z.strictObject({ min: z.int(), max: z.int() }),
  ordered: z.boolean(),
});

const scheduleSchema = z.strictObject({
  name: z.string(),
  cron: z.string(),
  timeZone: z.string(),
  retries: z.int(),
  /** What Cloud Scheduler publishes: `type` among the message's attributes, and the message's data. */
  eventType: z.string(),
  data: z.strictObject({ schedule: z.string() }),
});

const functionSchema = z.strictObject({
  name: z.string(),
  /** A Cloud Function, or a Cloud Run service from a container. */
  kind: z.enum(['function', 'service']),
  /** Public path prefixes. A function without any is reached by the bus alone. */
  paths: z.array(z.string()),
  public: z.boolean(),
  secrets: z.array(z.string()),
  /** What of the cloud its code uses: from this its service account gets its roles. */
  uses: z.array(z.enum(['blobs', 'encryption', 'locked-blobs', 'publish', 'redis', 'token-signing'])),
  /** Paths that one provider's webhooks come to. */
  webhooks: z.array(z.strictObject({ provider: z.string(), path: z.string() })),
  /** MiB. */
  memory: z.int(),
  /** Virtual processors. */
  cpu: z.number(),
  concurrency: z.int(),
  /** Seconds that a request may take. */
  timeout: z.int(),
  instances: z.strictObject({ min: z.int(), max: z.int() }),
  /** MiB of the zipped package. */
  packageBudget: z.number(),
  jobs: z.array(jobSchema),
  schedules: z.array(scheduleSchema),
  collections: z.array(z.strictObject({ name: z.string(), scope: z.enum(['tenant', 'platform']) })),
});

/** All that the deployment knows of the code. `version` rises when a reader of an older one would misread it. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** Names of all variables that the code reads. */
  environment: z.array(z.string()),
  functions: z.array(functionSchema),
  /** The content of `firestore.indexes.json`. */
  firestore: z.looseObject({
    indexes: z.array(z.looseObject({ collectionGroup: z.string() })),
    fieldOverrides: z.array(z.looseObject({ collectionGroup: z.string(), fieldPath: z.string() })),
  }),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFunction = Manifest['functions'][number];

const conditionOn = (type: string): string =>
  type.endsWith('*') ? `hasPrefix(attributes.type, "${type.slice(0, -1)}")` : `attributes.type = "${type}"`;
const filterOf = (eventTypes: readonly string[]): string => eventTypes.map(conditionOn).join(' OR ');

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

type Definition = FunctionDefinition<unknown>;
export type Webhook = ManifestFunction['webhooks'][number];

/** What is found of a function by looking at what it does with its runtime. */
export interface Findings {
  readonly uses: readonly Use[];
  readonly webhooks: readonly Webhook[];
}
const nothingFound: Findings = { uses: [], webhooks: [] };

const ackDeadlineOf = (timeout: number): number => Math.min(600, Math.max(10, timeout + 30));
/** Pub/Sub takes 5 to 100. */
const maxDeliveriesOf = (maxAttempts: number): number => Math.min(100, Math.max(20, maxAttempts * 4));

/** Every function publishes what its commits leave in the outbox; those with paths count requests and keep answers. */
const usesOf = ({ paths, uses = [] }: Definition, found: Findings): Use[] => {
  const redis: Use[] = paths.length > 0 ? ['redis'] : [];
  return [...new Set<Use>(['publish', ...redis, ...uses, ...found.uses])].sort();
};

const entryOf = (definition: Definition, found: Findings): ManifestFunction => ({
  name: definition.name,
  kind: definition.kind ?? 'function',
  paths: [...definition.paths].sort(),
  public: definition.paths.length > 0,
  secrets: [...definition.secrets].sort(),
  uses: usesOf(definition, found),
  webhooks: found.webhooks.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  memory: definition.memory ?? 512,
  cpu: definition.cpu ?? 1,
  concurrency: definition.concurrency ?? 80,
  timeout: definition.timeout ?? Math.max(60, ...definition.jobs.map(({ timeout }) => ackDeadlineOf(timeout))),
  instances: { min: definition.instances?.min ?? 0, max: definition.instances?.max ?? 100 },
  packageBudget: definition.packageBudget ?? 6,
  jobs: definition.jobs
    .map(({ name, eventTypes, timeout, maxAttempts, backoff, ordered }) => ({
      name,
      eventTypes: [...eventTypes].sort(),
      filter: filterOf([...eventTypes].sort()),
      timeout,
      ackDeadline: ackDeadlineOf(timeout),
      maxAttempts,
      maxDeliveries: maxDeliveriesOf(maxAttempts),
      backoff: { min: backoff.min, max: backoff.max },
      ordered,
    }))
    .sort(byName),
  schedules: definition.schedules
    .map(({ name, cron, timeZone, retries, event }) => ({
      name,
      cron,
      timeZone,
      retries,
      eventType: event.type,
      data: { schedule: name },
    }))
    .sort(byName),
  collections: definition.collections.map(({ name, scope }) => ({ name, scope })).sort(byName),
});

const duplicates = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, i) => names.indexOf(name) !== i)),
];

const isUnder = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

const pathProblems = (functions: readonly ManifestFunction[]): string[] =>
  functions.flatMap(({ name, paths }) =>
    functions
      .filter((other) => other.name > name)
      .flatMap((other) =>
        paths.flatMap((path) =>
          other.paths
            .filter((theirs) => isUnder(path, theirs) || isUnder(theirs, path))
            .map((theirs) => `${name} and ${other.name} both take requests under ${path} and ${theirs}.`),
        ),
      ),
  );

const eventProblems = (functions: readonly ManifestFunction[]): string[] => {
  const taken = new Set(functions.flatMap(({ jobs }) => jobs.flatMap(({ eventTypes }) => eventTypes)));
  const ticks = new Set(functions.flatMap(({ schedules }) => schedules.map(({ eventType }) => eventType)));
  return [
    ...[...ticks].filter((tick) => !taken.has(tick)).map((tick) => `No job takes the tick ${tick}.`),
    ...[...taken]
      .filter((type) => type.startsWith('schedule.') && !ticks.has(type))
      .map((type) => `A job takes ${type}, which no schedule sends.`),
  ];
};

/** Pub/Sub's limit for a filter, in bytes. */
const maxFilter = 256;

const jobProblems = (functions: readonly ManifestFunction[]): string[] =>
  functions.flatMap(({ jobs }) =>
    jobs.flatMap(({ name, filter, eventTypes, timeout }) => [
      ...(eventTypes.length === 0 ? [`The job ${name} takes no event.`] : []),
      ...(filter.length > maxFilter ? [`The job ${name} takes more event types than a subscription can name.`] : []),
      ...(timeout < 1 || timeout > 540 ? [`The job ${name} has a timeout of ${timeout} s; 1 to 540 is possible.`] : []),
      ...(/^[a-z][\w.-]{2,99}$/.test(name) ? [] : [`${name} can't be the name of a job's subscription.`]),
    ]),
  );

const nameProblems = (functions: readonly ManifestFunction[]): string[] => [
  ...duplicates(functions.flatMap(({ jobs }) => jobs.map(({ name }) => name))).map(
    (name) => `Two jobs have the name ${name}.`,
  ),
  ...duplicates(functions.flatMap(({ schedules }) => schedules.map(({ name }) => name))).map(
    (name) => `Two schedules have the name ${name}.`,
  ),
  ...duplicates(functions.flatMap(({ collections }) => collections.map(({ name }) => name))).map(
    (name) => `Two collections have the name ${name}.`,
  ),
  ...functions
    .flatMap(({ secrets }) => secrets)
    .filter((name) => !/^[A-Z][A-Z0-9_]*$/.test(name))
    .map((name) => `${name} can't be the name of an environment variable.`),
];

/** The names of service accounts and of what stands before a function are made of it. */
const deployProblems = (functions: readonly ManifestFunction[]): string[] =>
  functions.flatMap(({ name, cpu, concurrency, memory, jobs }) => [
    ...(/^[a-z][a-z0-9-]{0,21}$/.test(name) ? [] : [`${name} can't be the name of a service account.`]),
    ...(cpu < 1 && concurrency > 1
      ? [`${name} needs a whole processor to serve ${concurrency} requests at a time.`]
      : []),
    ...(memory < 128 || memory > 32_768 ? [`${name} can't have ${memory} MiB.`] : []),
    ...jobs
      .filter(({ backoff: { min, max } }) => min < 0 || min > max || max > 600)
      .map((job) => `The job ${job.name} waits ${job.backoff.min} to ${job.backoff.max} s; 0 to 600 is possible.`),
  ]);

/**
 * The manifest of these functions, with what was found of each under its name. Throws with every contradiction that it
 * finds between them.
 */
export const manifestOf = (
  definitions: readonly Definition[],
  found: ReadonlyMap<string, Findings> = new Map(),
): Manifest => {
  const functions = definitions.map((one) => entryOf(one, found.get(one.name) ?? nothingFound)).sort(byName);
  const collections = definitions.flatMap((one) => one.collections).toSorted(byName);
  const problems = [
    ...nameProblems(functions),
    ...pathProblems(functions),
    ...jobProblems(functions),
    ...eventProblems(functions),
    ...deployProblems(functions),
  ];
  if (problems.length > 0) throw new Error(`The functions do not fit each other: ${problems.join(' ')}`);
  return manifestSchema.parse({
    version: 1,
    environment: environmentNames,
    functions,
    firestore: firestoreIndexes(collections),
  });
};

/** Routes that no request from outside could reach, because their path is under none of the function's prefixes. */
export const unreachableRoutes = (
  { paths }: Pick<Definition, 'paths'>,
  routes: ReturnType<Definition['routes']>,
): string[] =>
  routes
    .filter(({ endpoint: { access, path } }) => access !== 'internal' && !paths.some((prefix) => isUnder(path, prefix)))
    .map(({ endpoint: { path } }) => path);
