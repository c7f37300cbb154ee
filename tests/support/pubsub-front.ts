import { type PubSub, protos } from '@google-cloud/pubsub';
import { type handleUnaryCall, Server, ServerCredentials, status } from '@grpc/grpc-js';

const { PublishRequest, PublishResponse } = protos.google.pubsub.v1;
type Publish = handleUnaryCall<protos.google.pubsub.v1.PublishRequest, protos.google.pubsub.v1.IPublishResponse>;

const publisherService = {
  publish: {
    path: '/google.pubsub.v1.Publisher/Publish',
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes: Buffer) => PublishRequest.decode(bytes),
    requestSerialize: (request: protos.google.pubsub.v1.IPublishRequest) =>
      Buffer.from(PublishRequest.encode(request).finish()),
    responseDeserialize: (bytes: Buffer) => PublishResponse.decode(bytes),
    responseSerialize: (response: protos.google.pubsub.v1.IPublishResponse) =>
      Buffer.from(PublishResponse.encode(response).finish()),
  },
};

/** What Pub/Sub answers to a request that it does not take (https://cloud.google.com/pubsub/quotas#resource_limits). */
const refusalOf = (request: protos.google.pubsub.v1.PublishRequest) => {
  const { messages } = request;
  if (new Set(messages.map(({ orderingKey }) => orderingKey)).size > 1) {
    return {
      code: status.FAILED_PRECONDITION,
      details:
        'In a single publish request, all messages must have no ordering key or they must all have the same ordering key.',
    };
  }
  const tooLarge =
    messages.length > 1_000 ||
    PublishRequest.encode(request).finish().length > 10_000_000 ||
    messages.some(({ attributes = {} }) => Object.values(attributes ?? {}).some((value) => value.length > 1_024));
  return tooLarge ? { code: status.INVALID_ARGUMENT, details: 'The request is too large.' } : undefined;
};

/**
 * Stands before the emulator and refuses what Pub/Sub refuses and the emulator lets pass: several ordering keys in a
 * request, and too much. Answers with its `host:port`.
 */
export const pubSubFront = async (emulator: PubSub): Promise<{ host: string; close(): void }> => {
  const publish: Publish = ({ request }, answer) => {
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      answer(refusal);
      return;
    }
    emulator.request<protos.google.pubsub.v1.IPublishResponse>(
      { client: 'PublisherClient', method: 'publish', reqOpts: { ...request }, gaxOpts: {} },
      (error, response) =>
        error === null ? answer(null, response ?? {}) : answer({ ...error, code: status.INTERNAL }),
    );
  };
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(publisherService, { publish });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { host: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
};
