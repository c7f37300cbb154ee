import { createUsageMeter, usageCollection } from '../analytics/index.ts';
import type { BlobStore } from '../blobs/blobs.ts';
import type { Cache } from '../cache/cache.ts';
import type { WindowCounter } from '../cache/counter.ts';
import { createMemoryCache, memoryLevel } from '../cache/memory.ts';
import type { Config } from '../config/config.ts';
import type { Bus } from '../events/bus.ts';
import { createDeadLetters, type DeadLetters, deadLetterCollection } from '../events/dead-letters.ts';
import { eventMaker, type MakeEvent } from '../events/define-event.ts';
import { createInbox, inboxCollection } from '../events/inbox.ts';
import { createJobRunner, type RunJob } from '../events/job-runner.ts';
import { createOutbox, type Outbox } from '../events/outbox.ts';
import type { HttpGround } from '../http/app.ts';
import { createIdempotency, idempotencyCollection } from '../http/idempotency.ts';
import { leasedRateLimiter } from '../http/leased-rate-limiter.ts';
import { rateWindowCollection, storeWindowCounter } from '../http/store-window-counter.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { type NewId, newId } from '../kernel/ids.ts';
import {
  createTenantService,
  customDomainCollection,
  dailyCountCollection,
  erasedTenants,
  type Quotas,
  quotaGateCollection,
  type TenantService,
  tenantCollection,
  tombstoneCollection,
} from '../platform/index.ts';
import {
  type ApiKeyService,
  apiKeyCollection,
  auditEntryCollection,
  bounded,
  countGateCollection,
  createApiKeyService,
  createAuditLog,
  createFieldEncryption,
  createKeyRings,
  createRoleService,
  createSigningKeys,
  type FieldEncryption,
  ipAdmission,
  isApiKey,
  type KeyManagement,
  type KeyRings,
  keyProtector,
  keyRingCollection,
  ownerGateCollection,
  type Protector,
  type RoleService,
  roleCollection,
  type SigningKeys,
  securityPolicyCollection,
  serviceAccountCollection,
  sessionCollection,
  signingKeyCollection,
  subjectCipher,
  tokenAuthentication,
  tokenVerifier,
  userCollection,
} from '../security/index.ts';
import type { AdapterOptions } from '../store/database.ts';
import { outboxCollection } from '../store/outbox.collection.ts';
import type { Database } from '../store/store.ts';
import {
  createLogger,
  createMetrics,
  createTracing,
  type Metrics,
  type RootLogger,
  type Tracing,
} from '../telemetry/index.ts';
import { googleServiceIdentity, nobodyInternal, sharedSecretIdentity } from './identity.ts';
import { openQuotas } from './quotas.ts';

/** What every function's services are built from. One a process, however many functions run in it. */
export interface Runtime {
  readonly config: Config;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly logger: RootLogger;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  /** Its declared fields are encrypted. */
  readonly database: Database;
  readonly keyRings: KeyRings;
  readonly fieldEncryption: FieldEncryption;
  readonly blobs: BlobStore;
  readonly bus: Bus;
  readonly outbox: Outbox;
  readonly cache: Cache;
  readonly makeEvent: MakeEvent;
  readonly runJob: RunJob;
  readonly deadLetters: DeadLetters;
  readonly tenants: TenantService;
  readonly quotas: Quotas;
  readonly apiKeys: ApiKeyService;
  readonly roles: RoleService;
  readonly signingKeys: SigningKeys;
  readonly protector: Protector;
  /** What is written there can't be changed or deleted while it is retained. */
  readonly lockedBlobs: BlobStore;
  readonly http: HttpGround;
  /** Stores and sends what is still in memory. */
  close(): Promise<void>;
}

/** Collections that the ground itself keeps, whatever functions there are. */
export const groundCollections = [
  outboxCollection,
  inboxCollection,
  deadLetterCollection,
  idempotencyCollection,
  rateWindowCollection,
  usageCollection,
  tenantCollection,
  apiKeyCollection,
  signingKeyCollection,
  sessionCollection,
  userCollection,
  serviceAccountCollection,
  roleCollection,
  keyRingCollection,
  securityPolicyCollection,
  ownerGateCollection,
  quotaGateCollection,
  dailyCountCollection,
  customDomainCollection,
];

/** Adapters that a test or the starter brings along; the configuration picks the others. */
export interface RuntimeParts {
  readonly clock?: Clock;
  readonly logger?: RootLogger;
  readonly database?: (hooks: DatabaseHooks) => Database;
  readonly bus?: Bus;
  readonly tracing?: Tracing;
}
type DatabaseHooks = Pick<AdapterOptions, 'wrap'> & { readonly onCommitted: Outbox['publish'] };

const openDatabase = async (config: Config, logger: RootLogger, given: DatabaseHooks): Promise<Database> => {
  const hooks = {
    ...given,
    onInvalid: (path: string, issues: readonly string[]) =>
      logger.error('A stored document does not parse.', { path, issues }),
  };
  if (config.store.kind === 'embedded') return (await import('../store/embedded.ts')).embeddedDatabase(hooks);
  const { firestoreDatabase } = await import('../store/firestore.ts');
  const { databaseId, emulatorHost } = config.store;
  return firestoreDatabase({ ...hooks, projectId: config.projectId, databaseId, emulatorHost });
};

const openBus = async ({ bus, projectId }: Config): Promise<Bus> =>
  bus.kind === 'embedded'
    ? (await import('../events/embedded.ts')).embeddedBus()
    : (await import('../events/pubsub.ts')).pubSubBus({ projectId, topic: bus.topic, emulatorHost: bus.emulatorHost });

/** The bucket of the deployment, or a folder. Nothing connects before its first use. */
const openBlobs = async (config: Config, bucket: string, folder: string): Promise<BlobStore> => {
  const { kind, directory, emulatorHost, url: baseUrl } = config.blobs;
  if (kind === 'cloud-storage') {
    const { createCloudStorageBlobs } = await import('../blobs/cloud-storage.ts');
    const endpoint =
      emulatorHost === undefined ? {} : { endpoint: `http://${emulatorHost.replace(/^https?:\/\//, '')}` };
    return createCloudStorageBlobs({ bucket, projectId: config.projectId, ...endpoint });
  }
  const { createLocalDiskBlobs } = await import('../blobs/local-disk.ts');
  const signingKey = config.internal.secret ?? crypto.randomUUID();
  return createLocalDiskBlobs({ root: `${directory}/${folder}`, baseUrl, signingKey });
};

/** A master key in Cloud KMS, or the one in a file where there is no cloud. */
const openKeyManagement = async ({ environment, kms }: Config, keyName: string | undefined): Promise<KeyManagement> => {
  if (keyName !== undefined) {
    return (await import('../security/encryption/cloud-kms.ts')).cloudKms({ keyName });
  }
  if (environment === 'cloud') {
    // An instance's disk goes with it, and all that was encrypted would go too.
    const refuse = () => Promise.reject(new Error('OMNI_KMS_KEY is not set.'));
    return { wrap: refuse, unwrap: refuse, close: async () => {} };
  }
  return (await import('../security/encryption/local-key-file.ts')).localKeyFile(kms.file);
};

/** In process, and Redis behind it where there is one. */
const openCaches = async ({ redisUrl: url }: Config): Promise<{ cache: Cache; counter: WindowCounter | undefined }> => {
  if (url === undefined) return { cache: createMemoryCache(), counter: undefined };
  const [{ createRedisClient }, { redisLevel }, { createTwoLevelCache }, { createRedisCounter }] = await Promise.all([
    import('../cache/redis-client.ts'),
    import('../cache/redis.ts'),
    import('../cache/two-level.ts'),
    import('../cache/counter.ts'),
  ]);
  const client = createRedisClient({ url });
  return { cache: createTwoLevelCache(memoryLevel(), redisLevel(client)), counter: createRedisCounter(client) };
};

const identityOf = ({ environment, internal }: Config) => {
  if (internal.audience !== undefined) return googleServiceIdentity(internal.audience, internal.accounts);
  // Never in the cloud: a secret in a URL ends in logs.
  return environment === 'local' && internal.secret !== undefined
    ? sharedSecretIdentity(internal.secret)
    : nobodyInternal;
};

const openTracing = ({ tracing: { endpoint, sampleRatio }, version }: Config, service: string): Tracing =>
  createTracing({
    service,
    version,
    exporter: endpoint === undefined ? { kind: 'none' } : { kind: 'otlp', url: `${endpoint}/v1/traces` },
    sampleRatio,
  });

/** Opens everything that functions stand on. Nothing connects before its first use. */
export const createRuntime = async (service: string, config: Config, parts: RuntimeParts = {}): Promise<Runtime> => {
  const clock = parts.clock ?? systemClock;
  const logger =
    parts.logger ??
    createLogger({
      level: config.logLevel,
      service,
      version: config.version,
      format: config.environment === 'cloud' ? 'cloud' : 'terminal',
      projectId: config.projectId,
    });
  const metrics = createMetrics({ service });
  const tracing = parts.tracing ?? openTracing(config, service);
  const bus = parts.bus ?? (await openBus(config));
  const onCommitted: Outbox['publish'] = (events) => outbox.publish(events);
  const { keyName, signingKeyName } = config.kms;
  const management = await openKeyManagement(config, keyName);
  // A key of its own, so that only who signs tokens needs access to it.
  const signingManagement = signingKeyName === keyName ? management : await openKeyManagement(config, signingKeyName);
  // The keys are in the database whose fields they encrypt, and not encrypted there themselves.
  const rings = { of: (tenant: string) => database.tenants(keyRingCollection).of(tenant) };
  const keyRings = createKeyRings({ rings, management, clock });
  const fieldEncryption = createFieldEncryption({ keys: keyRings });
  const hooks: DatabaseHooks = { onCommitted, wrap: fieldEncryption.wrap };
  const database = parts.database?.(hooks) ?? (await openDatabase(config, logger, hooks));
  const outbox = createOutbox({ database, entries: database.platform(outboxCollection), bus, clock, logger });
  const { cache, counter } = await openCaches(config);

  const inboxEntries = database.platform(inboxCollection);
  const deadLetters = createDeadLetters({
    database,
    letters: database.platform(deadLetterCollection),
    inbox: inboxEntries,
    clock,
  });
  const tenants = createTenantService({ database, tenants: database.platform(tenantCollection), clock });
  const runJob = createJobRunner({
    database,
    inbox: createInbox({ entries: inboxEntries, clock }),
    deadLetters,
    isErased: erasedTenants({ tenants, tombstones: database.platform(tombstoneCollection), clock }),
    logger,
  });
  const quotas = openQuotas(database, tenants, clock);
  const keys = database.platform(apiKeyCollection);
  const entries = database.tenants(auditEntryCollection);
  const audit = createAuditLog({ entries, cipher: subjectCipher(keyRings), newId, clock });
  const apiKeys = createApiKeyService({ database, keys, tenants, quotas, audit, clock });
  const addOne = bounded(database, database.tenants(countGateCollection));
  const roles = createRoleService({ database, roles: database.tenants(roleCollection), addOne, audit, clock });
  const protector = keyProtector(signingManagement);
  const signingKeys = createSigningKeys({
    database,
    keys: database.platform(signingKeyCollection),
    protector,
    audit,
    clock,
  });
  const authenticateToken = tokenAuthentication({
    verify: tokenVerifier({ ...config.tokens, load: signingKeys.published, clock }),
    sessions: database.tenants(sessionCollection),
    users: database.tenants(userCollection),
    serviceAccounts: database.tenants(serviceAccountCollection),
    roles,
    tenants,
    clock,
  });
  const [blobs, lockedBlobs] = await Promise.all([
    openBlobs(config, config.blobs.bucket, 'blobs'),
    openBlobs(config, config.blobs.lockedBucket, 'locked'),
  ]);
  const makeEvent = eventMaker({
    source: `omni/${service}`,
    clock,
    newId,
    traceparent: () => tracing.inject().traceparent,
  });
  const policies = database.tenants(securityPolicyCollection);
  const meter = createUsageMeter({ database, usage: database.tenants(usageCollection), clock, logger });
  const windows = storeWindowCounter({ windows: database.platform(rateWindowCollection), clock });

  return {
    config,
    clock,
    newId,
    logger,
    metrics,
    tracing,
    database,
    keyRings,
    fieldEncryption,
    bus,
    outbox,
    cache,
    makeEvent,
    runJob,
    deadLetters,
    tenants,
    quotas,
    apiKeys,
    roles,
    signingKeys,
    protector,
    blobs,
    lockedBlobs,
    http: {
      version: config.version,
      logger,
      metrics,
      tracing,
      identity: identityOf(config),
      clock,
      authenticate: (text) => (isApiKey(text) ? apiKeys.authenticate(text) : authenticateToken(text)),
      admission: ipAdmission({ database, policies, makeEvent, clock }),
      trustedHops: config.trustedHops,
      meter,
      limiter: leasedRateLimiter({ counter: counter ?? windows, clock, logger }),
      cache,
      idempotency: createIdempotency({ entries: database.tenants(idempotencyCollection), clock }),
      during: outbox.during,
      ready: () => database.ping(),
    },
    close: async () => {
      await meter.flush();
      await tracing.shutdown();
      const managements = [...new Set([management, signingManagement])];
      await Promise.all([bus.close(), cache.close(), ...managements.map((one) => one.close())]);
      await database.close();
    },
  };
};
