import type { EmbeddedBus } from '#shared/events/embedded.ts';
import type { ManifestFunction } from './manifest.ts';
import type { Schedule } from './timers.ts';

type Job = ManifestFunction['jobs'][number];

export interface Wiring {
  readonly jobs: readonly Job[];
  /** Where a job's events are pushed to. */
  readonly endpointOf: (job: string) => string;
}

/** Sends what a timer sends. */
export interface WiredBus {
  publishTick(schedule: Schedule): Promise<void>;
  close(): Promise<void>;
}

/** The topic, and a push subscription per job, as Terraform makes them; without identity, which the emulator lacks. */
export const wirePubSub = async (
  { jobs, endpointOf }: Wiring,
  { projectId, topic: topicName, host }: { readonly projectId: string; readonly topic: string; readonly host: string },
): Promise<WiredBus> => {
  const [{ PubSub }, { GoogleAuth, PassThroughClient }] = await Promise.all([
    import('@google-cloud/pubsub'),
    import('google-auth-library'),
  ]);
  // Without credentials of some kind the library looks for those of a machine in Google Cloud.
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  const client = new PubSub({ projectId, apiEndpoint: host, emulatorMode: true, auth });
  const topic = client.topic(topicName);
  await topic.get({ autoCreate: true });
  await Promise.all(
    jobs.map(async (job) => {
      // One of an earlier run on the same emulator pushes to where nobody listens any more.
      const [exists] = await client.subscription(job.name).exists();
      if (exists) await client.subscription(job.name).delete();
      await topic.createSubscription(job.name, {
        pushConfig: { pushEndpoint: endpointOf(job.name) },
        filter: job.filter,
        enableMessageOrdering: job.ordered,
        ackDeadlineSeconds: job.ackDeadline,
        // Terraform's are 10 and 600 s; whoever watches a job fail does not want to wait that long.
        retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 60 } },
      });
    }),
  );
  return {
    publishTick: async ({ eventType, data }) => {
      await topic.publishMessage({ json: data, attributes: { type: eventType } });
    },
    close: () => client.close(),
  };
};

/** The same on the embedded bus, over HTTP too, so that a job runs by the same path. */
export const wireEmbedded = ({ jobs, endpointOf }: Wiring, bus: EmbeddedBus): WiredBus => {
  for (const { name } of jobs) {
    bus.subscribe(name, async (body) => {
      const response = await fetch(endpointOf(name), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await response.body?.cancel();
      return response.status;
    });
  }
  return {
    publishTick: async ({ eventType, data }) => bus.publishRaw(data, { type: eventType }),
    close: async () => {},
  };
};
