import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { predictionMade } from '#shared/ai/index.ts';
import { loadConfig } from '#shared/config/config.ts';
import { createRuntime } from '#shared/runtime/runtime.ts';
import { firestoreDatabase } from '#shared/store/firestore.ts';
import { listen } from '../lib/ports.ts';
import { keepAlive, send } from './client.ts';
import { builtFunction, type Ground, internalSecret, tenant, withFunction } from './ground.ts';
import { interleaved, type Row } from './measure.ts';

const events = 50;

/** Resolves, with the time, when the message that carries this id is dealt with. */
type Arrivals = Map<string, (time: number) => void>;

const arrival = (arrivals: Arrivals, id: string): Promise<number> =>
  new Promise((resolve) => {
    arrivals.set(id, resolve);
  });

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => Buffer.concat(await request.toArray());

/** The id of the event in a pushed message. */
const idOf = (body: Buffer): string => {
  const { message }: { message: { data: string } } = JSON.parse(body.toString());
  const { id }: { id: string } = JSON.parse(Buffer.from(message.data, 'base64').toString());
  return id;
};

/** Takes a topic's messages: each is dealt with when `work` has answered with its status. */
const receiver = async (arrivals: Arrivals, work: (body: Buffer) => Promise<number>) => {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const status = await work(body);
    const time = performance.now();
    if (status < 300) arrivals.get(idOf(body))?.(time);
    response.writeHead(status).end();
  };
  const server = createServer((request, response) => void handle(request, response));
  return { server, port: await listen(server, 0) };
};

const subscribe = (ground: Ground, topic: string, port: number) => {
  const project = `projects/${ground.environment.GOOGLE_CLOUD_PROJECT}`;
  return ground.pubSub.subscriber.createSubscription({
    name: `${project}/subscriptions/bench-${topic}`,
    topic: `${project}/topics/${topic}`,
    ackDeadlineSeconds: 60,
    pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/` },
  });
};

/** The emulator looks for messages every 100 ms. Spread over that time, so that no run keeps in step with it. */
const offset = (run: number): Promise<void> => sleep((run * 37) % 100);

/** Commits an event as any service does, in this process, and tells when the commit was durable. */
const openService = async (environment: Ground['environment']) => {
  let committed = 0;
  const config = loadConfig(environment);
  const runtime = await createRuntime('bench', config, {
    database: ({ onCommitted }) =>
      firestoreDatabase({
        projectId: config.projectId,
        emulatorHost: config.store.emulatorHost,
        onCommitted: (emitted) => {
          committed = performance.now();
          return onCommitted?.(emitted) ?? Promise.resolve();
        },
      }),
  });
  return {
    commitOne: async (id: string): Promise<number> => {
      const data = {
        predictionId: id,
        kind: 'churn',
        riskLevel: 'low',
        probability: 0.1,
        modelVersion: 'bench',
      } as const;
      const event = runtime.makeEvent(predictionMade, {
        id,
        tenant,
        subject: id,
        data: { ...data, day: '2026-01-31' },
      });
      await runtime.database.transaction((transaction) => transaction.emit(event));
      return committed;
    },
    close: runtime.close,
  };
};

export const eventToJob = async (ground: Ground): Promise<Row> => {
  const { environment, pubSub } = ground;
  const arrivals: Arrivals = new Map();
  const topic = `projects/${environment.GOOGLE_CLOUD_PROJECT}/topics/raw`;
  await pubSub.publisher.createTopic({ name: topic });
  const agent = keepAlive(8);
  const service = await openService(environment);

  const pair = await withFunction(builtFunction('ai'), environment, async (url) => {
    const job = `${url}/internal/jobs/ai.update-rollup?token=${internalSecret}`;
    const headers = { 'content-type': 'application/json' };
    const jobs = await receiver(
      arrivals,
      async (body) => (await send(agent, job, { method: 'POST', headers, body })).status,
    );
    const raw = await receiver(arrivals, async () => 204);
    await subscribe(ground, 'events', jobs.port);
    await subscribe(ground, 'raw', raw.port);
    try {
      return await interleaved(
        events,
        async (run) => {
          await offset(run);
          const done = arrival(arrivals, `evt_ours_${run}`);
          const [committed, time] = await Promise.all([service.commitOne(`evt_ours_${run}`), done]);
          return time - committed;
        },
        async (run) => {
          await offset(run);
          const id = `evt_raw_${run}`;
          const done = arrival(arrivals, id);
          const published = performance.now();
          await pubSub.publisher.publish({ topic, messages: [{ data: Buffer.from(JSON.stringify({ id })) }] });
          return (await done) - published;
        },
      );
    } finally {
      jobs.server.close();
      raw.server.close();
    }
  });
  await service.close();
  agent.destroy();
  return {
    name: 'Event, commit to job done, p50',
    unit: 'ms',
    ...pair,
    ratio: pair.ours / pair.baseline,
    bar: { atMost: 1.5 },
    how:
      `p50 of ${events} events each, one at a time. Ours: from the commit of a transaction that emits an event, through ` +
      'outbox, Pub/Sub and the inbox, until the job of the built `ai` function has committed its effect and answers. ' +
      "Baseline: from a raw publish until the push handler of Node's plain HTTP server is called. The emulator looks " +
      'for messages every 100 ms, which is most of both.',
    bound:
      'beside the delivery, which both have, ours is four round trips to Firestore and Pub/Sub one after the other: ' +
      'publish, claim in the inbox, the effect with the inbox settled, and the hop through the bench.',
  };
};
