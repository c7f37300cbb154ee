import * as z from 'zod';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

const optionalText = z
  .string()
  .optional()
  .transform((text) => (text === '' ? undefined : text));

/** Every variable that the platform reads, with its default. Secrets come from Secret Manager as variables. */
const environmentSchema = z.object({
  GOOGLE_CLOUD_PROJECT: z.string().default('omni-local'),
  OMNI_ENVIRONMENT: z.enum(['local', 'cloud']).default('local'),
  OMNI_VERSION: z.string().default('dev'),
  OMNI_STORE: z.enum(['firestore', 'embedded']).default('firestore'),
  OMNI_BUS: z.enum(['pubsub', 'embedded']).default('pubsub'),
  OMNI_TOPIC: z.string().default('events'),
  OMNI_BLOBS: z.enum(['cloud-storage', 'local-disk']).default('local-disk'),
  OMNI_BUCKET: z.string().default('omni-blobs'),
  OMNI_BLOB_DIRECTORY: z.string().default('.omni/blobs'),
  /** Its retention policy is locked: what is written there stays. */
  OMNI_LOCKED_BUCKET: z.string().default('omni-locked'),
  /** Where the starter serves blobs by signed URLs. */
  OMNI_BLOB_URL: z.url().default('http://localhost:3000/blobs'),
  /** `projects/…/cryptoKeys/…`: the master key in the cloud. */
  OMNI_KMS_KEY: optionalText,
  /** Wraps the private keys that sign access tokens. `OMNI_KMS_KEY` does where absent. */
  OMNI_SIGNING_KMS_KEY: optionalText,
  /** The master key elsewhere. */
  OMNI_KEY_FILE: z.string().default('.omni/keys.json'),
  OMNI_DATABASE: z.string().default('(default)'),
  FIRESTORE_EMULATOR_HOST: optionalText,
  PUBSUB_EMULATOR_HOST: optionalText,
  STORAGE_EMULATOR_HOST: optionalText,
  REDIS_URL: optionalText,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalText,
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(0.1),
  /** Proves a caller internal where there is no service identity: in development only. */
  OMNI_INTERNAL_SECRET: optionalText,
  OMNI_INTERNAL_AUDIENCE: optionalText,
  OMNI_INTERNAL_ACCOUNTS: list,
  /** Entries at the end of `X-Forwarded-For` that are our own proxies'. */
  OMNI_TRUSTED_HOPS: z.coerce.number().int().min(0).max(10).optional(),
  STRIPE_WEBHOOK_SECRETS: list,
  STRIPE_SECRET_KEY: optionalText,
  STRIPE_API_URL: z.url({ protocol: /^https?$/ }).default('https://api.stripe.com'),
  SHOPIFY_WEBHOOK_SECRETS: list,
  BTCPAY_WEBHOOK_SECRETS: list,
  ACMEPAY_WEBHOOK_SECRETS: list,
  /** Nodes of chains, two of different operators for each: `base=https://…`. A secret, because keys are in them. */
  ONCHAIN_RPC_URLS: list,
  /** Tokens besides those that are known: `base:USDT:0x…:6:USD`. */
  ONCHAIN_TOKENS: list,
  /** Where stablecoins' prices in other currencies come from. */
  ONCHAIN_RATES_URL: z.url({ protocol: /^https?$/ }).default('https://api.coinbase.com'),
  /** `offline` by PayPal's certificate, `api` by asking PayPal. */
  PAYPAL_WEBHOOK_VERIFICATION: z.enum(['offline', 'api']).default('offline'),
  /** Of the app that all webhooks are of, where PayPal is asked. */
  PAYPAL_CLIENT_ID: optionalText,
  PAYPAL_CLIENT_SECRET: optionalText,
  /** The address of `/webhooks/paypal` from outside: webhooks are made there for accounts that name none. */
  PAYPAL_WEBHOOK_URL: z.url({ protocol: /^https$/ }).optional(),
  /** A local server in the place of PayPal's, and who it says has issued its certificates (PEM). */
  PAYPAL_API_URL: z.url({ protocol: /^https?$/ }).optional(),
  PAYPAL_AUTHORITIES: optionalText,
  /** Where the reference gateway is; without it there is none. */
  ACMEPAY_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** The `iss` and `aud` of access tokens. */
  OMNI_ISSUER: z.string().min(1).default('https://omni.localhost'),
  OMNI_AUDIENCE: z.string().min(1).default('omni'),
  /** DNS servers that custom domains are proved by; the system's where there are none. */
  OMNI_DNS_SERVERS: list,
  /** Where links in mails lead of a tenant that names no app of its own. */
  OMNI_APP_URL: z.url({ protocol: /^https?$/ }).default('http://localhost:3000'),
  /** A server with the range protocol of stolen passwords; nobody is asked without it. */
  OMNI_BREACHED_PASSWORDS_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** A file that says where addresses are; the package's own without it. */
  OMNI_IP_DATABASE: optionalText,
  /** `local` keeps messages for the mailbox page instead of sending them. */
  OMNI_MAIL: z.enum(['local', 'smtp']).optional(),
  OMNI_MAILBOX_DIRECTORY: z.string().default('.omni/mailbox'),
  SMTP_URL: optionalText,
  SMTP_FROM: z.email().default('no-reply@omni.example'),
  TWILIO_ACCOUNT_SID: optionalText,
  TWILIO_AUTH_TOKEN: optionalText,
  /** A number, or a messaging service's id. */
  TWILIO_FROM: optionalText,
  /** The address of `/webhooks/twilio` from outside. */
  TWILIO_STATUS_URL: z.url().optional(),
  /** The register of VAT numbers. */
  VIES_URL: z.url().optional(),
  /** Of the service that knows the sales taxes of the United States. */
  TAXJAR_API_KEY: optionalText,
  TAXJAR_URL: z.url().optional(),
});

/** The names of all variables that are read. What a deployment sets is among them, and a test holds it to that. */
export const environmentNames: readonly string[] = Object.keys(environmentSchema.shape).sort();

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of one process, from its environment. Throws with the names of all bad variables, never with
 * their values.
 */
export const loadConfig = (environment: Environment = process.env) => {
  const result = environmentSchema.safeParse(environment);
  if (!result.success) {
    const names = result.error.issues.map(({ path, message }) => `${path.join('.')} (${message})`);
    throw new Error(`The configuration is not valid: ${names.join(', ')}`);
  }
  const env = result.data;
  return {
    projectId: env.GOOGLE_CLOUD_PROJECT,
    environment: env.OMNI_ENVIRONMENT,
    version: env.OMNI_VERSION,
    store: { kind: env.OMNI_STORE, databaseId: env.OMNI_DATABASE, emulatorHost: env.FIRESTORE_EMULATOR_HOST },
    bus: { kind: env.OMNI_BUS, topic: env.OMNI_TOPIC, emulatorHost: env.PUBSUB_EMULATOR_HOST },
    kms: {
      keyName: env.OMNI_KMS_KEY,
      signingKeyName: env.OMNI_SIGNING_KMS_KEY ?? env.OMNI_KMS_KEY,
      file: env.OMNI_KEY_FILE,
    },
    blobs: {
      lockedBucket: env.OMNI_LOCKED_BUCKET,
      url: env.OMNI_BLOB_URL,
      kind: env.OMNI_BLOBS,
      bucket: env.OMNI_BUCKET,
      directory: env.OMNI_BLOB_DIRECTORY,
      emulatorHost: env.STORAGE_EMULATOR_HOST,
    },
    redisUrl: env.REDIS_URL,
    // Google's load balancer is one; in development there is none.
    trustedHops: env.OMNI_TRUSTED_HOPS ?? (env.OMNI_ENVIRONMENT === 'cloud' ? 1 : 0),
    logLevel: env.LOG_LEVEL,
    tracing: { endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT, sampleRatio: env.OTEL_TRACES_SAMPLER_ARG },
    internal: {
      secret: env.OMNI_INTERNAL_SECRET,
      audience: env.OMNI_INTERNAL_AUDIENCE,
      accounts: env.OMNI_INTERNAL_ACCOUNTS,
    },
    tokens: { issuer: env.OMNI_ISSUER, audience: env.OMNI_AUDIENCE },
    appUrl: env.OMNI_APP_URL,
    breachedPasswordsUrl: env.OMNI_BREACHED_PASSWORDS_URL,
    ipDatabase: env.OMNI_IP_DATABASE,
    dnsServers: env.OMNI_DNS_SERVERS,
    // Elsewhere than in the cloud nobody's numbers are sent out unasked.
    viesUrl:
      env.VIES_URL ??
      (env.OMNI_ENVIRONMENT === 'cloud' ? 'https://ec.europa.eu/taxation_customs/vies/rest-api' : undefined),
    taxJar: { apiKey: env.TAXJAR_API_KEY, url: env.TAXJAR_URL },
    webhooks: {
      stripe: env.STRIPE_WEBHOOK_SECRETS,
      shopify: env.SHOPIFY_WEBHOOK_SECRETS,
      acmepay: env.ACMEPAY_WEBHOOK_SECRETS,
      btcPay: env.BTCPAY_WEBHOOK_SECRETS,
    },
    acmepayUrl: env.ACMEPAY_URL,
    onchain: { endpoints: env.ONCHAIN_RPC_URLS, tokens: env.ONCHAIN_TOKENS, ratesUrl: env.ONCHAIN_RATES_URL },
    paypal: {
      verification: env.PAYPAL_WEBHOOK_VERIFICATION,
      clientId: env.PAYPAL_CLIENT_ID,
      clientSecret: env.PAYPAL_CLIENT_SECRET,
      webhookUrl: env.PAYPAL_WEBHOOK_URL,
      baseUrl: env.PAYPAL_API_URL,
      authorities: env.PAYPAL_AUTHORITIES,
    },
    stripe: { secretKey: env.STRIPE_SECRET_KEY, baseUrl: env.STRIPE_API_URL },
    mail: {
      kind: env.OMNI_MAIL ?? (env.OMNI_ENVIRONMENT === 'local' ? 'local' : 'smtp'),
      url: env.SMTP_URL,
      from: env.SMTP_FROM,
      mailbox: env.OMNI_MAILBOX_DIRECTORY,
    },
    twilio: {
      accountSid: env.TWILIO_ACCOUNT_SID,
      authToken: env.TWILIO_AUTH_TOKEN,
      from: env.TWILIO_FROM,
      statusUrl: env.TWILIO_STATUS_URL,
    },
  } as const;
};

export type Config = ReturnType<typeof loadConfig>;
