import * as z from 'zod';
import type { FunctionDefinition } from '#shared/runtime/function.ts';

const jobSchema = z.strictObject({
  name: z.string(),
  eventTypes: z.array(z.string()),
  /** The push subscription's filter (https://cloud.google.com/pubsub/docs/subscription-message-filter). */
  filter: z.string(),
  /** Seconds. */
  timeout: z.int(),
  maxAttempts: z.int(),
  ordered: z.boolean(),
});

const scheduleSchema = z.strictObject({
  name: z.string(),
  cron: z.string(),
  timeZone: z.string(),
  /** What Cloud Scheduler publishes: `type` among the message's attributes, and the message's data. */
  eventType: z.string(),
  data: z.strictObject({ schedule: z.string() }),
});

const functionSchema = z.strictObject({
  name: z.string(),
  /** Public path prefixes. A function without any is reached by the bus alone. */
  paths: z.array(z.string()),
  public: z.boolean(),
  secrets: z.array(z.string()),
  /** MiB. */
  memory: z.int(),
  concurrency: z.int(),
  jobs: z.array(jobSchema),
  schedules: z.array(scheduleSchema),
  collections: z.array(z.strictObject({ name: z.string(), scope: z.enum(['tenant', 'platform']) })),
});

/** All that the deployment knows of the code. `version` rises when a reader of an older one would misread it. */
export const manifestSchema = z.strictObject({ version: z.literal(1), functions: z.array(functionSchema) });
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFunction = Manifest['functions'][number];

const conditionOn = (type: string): string =>
  type.endsWith('*') ? `hasPrefix(attributes.type, "${type.slice(0, -1)}")` : `attributes.type = "${type}"`;
const filterOf = (eventTypes: readonly string[]): string => eventTypes.map(conditionOn).join(' OR ');

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

type Definition = FunctionDefinition<unknown>;

const entryOf = (definition: Definition): ManifestFunction => ({
  name: definition.name,
  paths: [...definition.paths].sort(),
  public: definition.paths.length > 0,
  secrets: [...definition.secrets].sort(),
  memory: definition.memory ?? 512,
  concurrency: definition.concurrency ?? 80,
  jobs: definition.jobs
    .map(({ name, eventTypes, timeout, maxAttempts, ordered }) => ({
      name,
      eventTypes: [...eventTypes].sort(),
      filter: filterOf([...eventTypes].sort()),
      timeout,
      maxAttempts,
      ordered,
    }))
    .sort(byName),
  schedules: definition.schedules
    .map(({ name, cron, timeZone, event }) => ({
      name,
      cron,
      timeZone,
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

/** The manifest of these functions. Throws with every contradiction that it finds between them. */
export const manifestOf = (definitions: readonly Definition[]): Manifest => {
  const functions = definitions.map(entryOf).sort(byName);
  const problems = [
    ...nameProblems(functions),
    ...pathProblems(functions),
    ...jobProblems(functions),
    ...eventProblems(functions),
  ];
  if (problems.length > 0) throw new Error(`The functions do not fit each other: ${problems.join(' ')}`);
  return manifestSchema.parse({ version: 1, functions });
};

/** Routes that no request from outside could reach, because their path is under none of the function's prefixes. */
export const unreachableRoutes = (
  { paths }: Pick<Definition, 'paths'>,
  routes: ReturnType<Definition['routes']>,
): string[] =>
  routes
    .filter(({ endpoint: { access, path } }) => access !== 'internal' && !paths.some((prefix) => isUnder(path, prefix)))
    .map(({ endpoint: { path } }) => path);
