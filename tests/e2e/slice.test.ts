import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PubSub } from '@google-cloud/pubsub';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import * as z from 'zod';
import { devFileSchema } from '#scripts/lib/dev-file.ts';
import { firestoreDatabase } from '#shared/store/firestore.ts';
import { outboxCollection, toOutboxEntry } from '#shared/store/outbox.collection.ts';
import { createCustomer, createSubscription, endSubscription } from '#tests/support/stripe/billing.ts';
import type { StripeEvent } from '#tests/support/stripe/state.ts';
import { startStripeServer } from '#tests/support/stripe-server.ts';

/** The whole slice through the built functions, each in a process of its own, on the emulators: as in production. */

const root = resolve(import.meta.dirname, '../..');
let dev: z.infer<typeof devFileSchema>;
let child: ChildProcess;
let folder = '';
let output = '';

const until = async <T>(what: string, look: () => Promise<T | undefined>, patience = 60_000): Promise<T> => {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error(`${what} did not happen within ${patience} ms.\n${output.slice(-4000)}`);
};

const call = async (path: string, init: RequestInit = {}): Promise<{ status: number; type: string; body: unknown }> => {
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', `Bearer ${dev.apiKey}`);
  if (headers.get('authorization') === '') headers.delete('authorization');
  if (init.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  // A connection of its own each time: one that is kept may be closed by the server just as it is used again.
  headers.set('connection', 'close');
  const response = await fetch(`${dev.baseUrl}${path}`, { ...init, headers });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, body: type.includes('json') ? JSON.parse(text) : text };
};
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });

const stripe = await startStripeServer();
afterAll(stripe.stop);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'omni-e2e-'));
  const devFile = join(folder, 'dev.json');
  child = spawn(
    join(root, 'node_modules/.bin/node'),
    [join(root, 'scripts/start.ts'), '--isolated', '--port', '0', '--dev-file', devFile],
    {
      cwd: root,
      env: {
        ...process.env,
        STRIPE_SECRET_KEY: stripe.secretKey,
        STRIPE_API_URL: stripe.baseUrl,
        FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
        PUBSUB_EMULATOR_HOST: inject('pubSubHost'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  dev = await until(
    'start',
    async () => {
      if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${output}`);
      const text = await readFile(devFile, 'utf8').catch(() => undefined);
      // It may just be being written.
      return text?.endsWith('}\n') ? devFileSchema.parse(JSON.parse(text)) : undefined;
    },
    300_000,
  );
}, 310_000);

afterAll(async () => {
  if (child.exitCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
});

const customer = { tenure: 2, contract: 'Month-to-month', internetService: 'Fiber optic', monthlyCharges: 89.5 };
const predictionSchema = z.object({ id: z.string(), probability: z.number(), riskLevel: z.string() });

describe('a request', () => {
  it('makes a prediction, which can be read again and reaches the day’s roll-up through the bus', async () => {
    const made = await post('/api/v1/ai-intelligence/churn-prediction', { customerId: 'c-1', customer });
    expect(made.status).toBe(201);
    const prediction = predictionSchema.parse(made.body);
    const again = await call(`/api/v1/ai-intelligence/churn-prediction/${prediction.id}`);
    expect(again.body).toEqual(made.body);
    const day = new Date().toISOString().slice(0, 10);
    await until('the roll-up', async () => {
      const { body } = await call(`/api/v1/ai-intelligence/churn-prediction/rollups/${day}`);
      return z.object({ count: z.number() }).parse(body).count === 1 ? true : undefined;
    });
  });

  it('is done once for its idempotency key', async () => {
    const send = () => post('/api/v1/ai-intelligence/churn-prediction', { customer }, { 'idempotency-key': 'e2e-1' });
    expect((await send()).body).toEqual((await send()).body);
  });

  it.each([
    ['malformed JSON', '{"customer":', {}, 400, 'malformed-json'],
    ['an unknown charset', '{}', { 'content-type': 'application/json; charset=x-klingon' }, 400, 'invalid-request'],
    ['a broken encoding', '{}', { 'content-encoding': 'gzip' }, 415, 'unsupported-media-type'],
    ['10 MB', `{"customerId":"${'x'.repeat(10_000_000)}"}`, {}, 413, 'payload-too-large'],
    ['a forged key', '{}', { authorization: 'Bearer omk_forged' }, 401, 'unauthenticated'],
  ])('with %s is refused by us and not by the framework', async (_what, body, headers, status, code) => {
    const response = await post('/api/v1/ai-intelligence/churn-prediction', body, headers);
    expect(response).toMatchObject({ status, type: 'application/problem+json', body: { code } });
  });

  it.each(['/api/v1/ai-intelligence/%E0%A4%A', '/nowhere'])('to %s is a 404 problem', async (path) => {
    expect(await call(path)).toMatchObject({ status: 404, type: 'application/problem+json' });
  });
});

describe('Stripe', () => {
  const deliver = (event: StripeEvent) => {
    const { body, headers } = stripe.delivery(event, dev.webhookSecrets.stripe);
    return post('/webhooks/stripe', body, { ...headers, authorization: '' });
  };

  it('may deliver in any order and often: the record ends as Stripe has it', async () => {
    const state = stripe.of('platform');
    const customer = createCustomer(state, { invoice_settings: { default_payment_method: 'pm_card_visa' } });
    const { id } = createSubscription(state, { customer: customer.id, items: [{ price: 'price_monthly' }] });
    endSubscription(state, id);
    const events = state.events.toReversed();
    const answers = await Promise.all([...events, ...events, ...events].map(deliver));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const record = await until('the record', async () => {
      const { body } = await call(`/api/v1/stripe/subscriptions/${id}`);
      return z.object({ deleted: z.literal(true) }).safeParse(body).success ? body : undefined;
    });
    expect(record).toMatchObject({ id, status: 'canceled', customer: customer.id });
  });

  it('must sign', async () => {
    const payload = JSON.stringify({ id: 'evt_forged', type: 'customer.created', created: 1, livemode: false });
    const forged = Stripe.webhooks.generateTestHeaderString({ payload, secret: 'whsec_forged' });
    const answer = await post('/webhooks/stripe', payload, { 'stripe-signature': forged, authorization: '' });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-signature' } });
  });
});

describe('Shopify', () => {
  it('has its signed webhook taken once', async () => {
    const body = JSON.stringify({ id: 1 });
    const headers = {
      authorization: '',
      'x-shopify-hmac-sha256': createHmac('sha256', dev.webhookSecrets.shopify).update(body).digest('base64'),
      'x-shopify-topic': 'orders/create',
      'x-shopify-shop-domain': 'demo-shop.myshopify.com',
      'x-shopify-webhook-id': 'e2e-1',
    };
    expect(await post('/webhooks/shopify', body, headers)).toMatchObject({
      status: 200,
      body: { received: 'published' },
    });
    expect(await post('/webhooks/shopify', body, headers)).toMatchObject({
      status: 200,
      body: { received: 'duplicate' },
    });
  });
});

describe('a timer', () => {
  const bus = () => new PubSub({ projectId: dev.projectId, apiEndpoint: inject('pubSubHost') });
  const tick = async (name: string) => {
    const pubSub = bus();
    const json = { schedule: name };
    await pubSub.topic(dev.topic).publishMessage({ json, attributes: { type: `schedule.${name}` } });
    await pubSub.close();
  };

  it('makes the day’s digest event of each tenant', async () => {
    const pubSub = bus();
    const [subscription] = await pubSub.topic(dev.topic).createSubscription('e2e-watch');
    const seen = new Promise<string>((found) => {
      subscription.on('message', (message) => {
        message.ack();
        if (message.attributes.type === 'platform.digest.due') found(message.attributes.tenant ?? '');
      });
    });
    await tick('daily-digest');
    expect(await seen).toBe(dev.tenant);
    await subscription.close();
    await pubSub.close();
  });

  it('sweeps the outbox: an event that a crash left there reaches its job', async () => {
    const database = firestoreDatabase({ projectId: dev.projectId, emulatorHost: inject('firestoreHost') });
    const day = '2025-01-31';
    const event = {
      specversion: '1.0' as const,
      id: 'evt_left_behind',
      source: 'omni/ai',
      type: 'ai.prediction.made',
      subject: 'pred_x',
      time: new Date().toISOString(),
      tenant: dev.tenant,
      datacontenttype: 'application/json' as const,
      data: { predictionId: 'pred_x', kind: 'churn', riskLevel: 'low', probability: 0.1, modelVersion: 'x', day },
    };
    const entries = database.platform(outboxCollection);
    await entries.create(event.id, toOutboxEntry(event, Date.now() - 120_000));
    await tick('outbox-sweep');
    // The starter's own timer ticks as well, and two ticks in one minute are one: then it is the next minute's.
    await until(
      'the sweep',
      async () => {
        const { body } = await call(`/api/v1/ai-intelligence/churn-prediction/rollups/${day}`);
        return z.object({ count: z.number() }).parse(body).count === 1 ? true : undefined;
      },
      80_000,
    );
    // The bus delivers before it answers the sweep, which only then forgets the event: the job may be first.
    await until('the outbox to forget it', async () => ((await entries.get(event.id)) ? undefined : true));
    await database.close();
  }, 180_000);
});

describe('an event that no job can take', () => {
  it('becomes a dead letter, which can be listed and redriven from inside only', async () => {
    const pubSub = new PubSub({ projectId: dev.projectId, apiEndpoint: inject('pubSubHost') });
    const json = {
      specversion: '1.0',
      id: 'evt_broken',
      source: 'omni/ai',
      type: 'ai.prediction.made',
      subject: 'x',
      time: new Date().toISOString(),
      tenant: dev.tenant,
      datacontenttype: 'application/json',
      data: { nonsense: true },
    };
    await pubSub.topic(dev.topic).publishMessage({ json, attributes: { type: json.type, tenant: dev.tenant } });
    await pubSub.close();
    const inside = { authorization: `Bearer ${dev.internalToken}` };
    const id = 'ai.update-rollup:evt_broken';
    await until('the dead letter', async () => {
      const { body } = await call('/internal/dead-letters', { headers: inside });
      return JSON.stringify(body).includes(id) ? true : undefined;
    });
    expect(await call('/internal/dead-letters')).toMatchObject({ status: 404 });
    expect(await post(`/internal/dead-letters/${id}/redrive`, '', inside)).toMatchObject({ status: 202 });
  });
});

describe('the documents', () => {
  it('are there: one OpenAPI document of all functions, and the reference', async () => {
    const { body } = await call('/openapi.json');
    const { paths } = z.object({ paths: z.record(z.string(), z.unknown()) }).parse(body);
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/ai-intelligence/churn-prediction',
        '/api/v1/stripe/subscriptions',
        '/webhooks/stripe',
      ]),
    );
    expect((await call('/docs')).type).toContain('text/html');
  });
});

describe('the end', () => {
  it('comes at SIGTERM, and leaves no process behind', async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = await ended;
    expect(code).toBe(0);
    await expect(fetch(`${dev.baseUrl}/healthz`)).rejects.toThrow();
    for (const pid of dev.pids) expect(() => process.kill(pid, 0)).toThrow();
  });
});
