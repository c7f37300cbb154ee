import { subscribe } from 'node:diagnostics_channel';
import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import { http } from '@google-cloud/functions-framework';
import { getRequestListener } from '@hono/node-server';
import { loadConfig } from '../config/config.ts';
import type { App } from '../http/app.ts';
import type { FunctionDefinition } from './function.ts';
import { functionApp } from './function-app.ts';
import { createRuntime, type Runtime } from './runtime.ts';

/** Answers a request. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Node reads and drops what a refused request still sends, for as long as it sends. The adapter's own way of doing that
 * breaks the connection off after half a second, and a client that is still sending never sees the answer.
 */
const listenerOptions = { autoCleanupIncoming: false };

/** Registers a function with the framework. The app is made by `open`, once, when it is first wanted. */
export const register = (name: string, open: () => Promise<App>): Listener => {
  let listener: Promise<ReturnType<typeof getRequestListener>> | undefined;
  const listen: Listener = async (request, response) => {
    listener ??= open().then((app) => getRequestListener(app.fetch, listenerOptions));
    await (await listener)(request, response);
  };
  http(name, listen);
  return listen;
};

/** Requests go to the function itself, past the framework's Express: docs/decisions/0002-past-express.md says why. */
const answerDirectly = (server: Server, listen: Listener): void => {
  server.removeAllListeners('request').on('request', (request, response) => void listen(request, response));
};

/** Milliseconds. Cloud Run kills ten seconds after it asked. */
const shutdownLimit = 8_000;

/** On SIGTERM requests under way are answered, and what is in memory is stored, before the process ends. */
const closeGracefully = (server: Server, runtime: () => Promise<Runtime>): void => {
  const close = async (): Promise<void> => {
    setTimeout(() => process.exit(1), shutdownLimit).unref();
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeIdleConnections();
    });
    await (await runtime()).close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // The framework's handlers end the process at once.
    process.removeAllListeners(signal);
    process.once(signal, () => void close());
  }
};

/** The entry of a deployed function: registers it, and looks after the process that the framework starts for it. */
export const serve = <S>(definition: FunctionDefinition<S>, createServices: (runtime: Runtime) => S): void => {
  let runtime: Promise<Runtime> | undefined;
  const open = (): Promise<Runtime> => {
    runtime ??= createRuntime(definition.name, loadConfig());
    return runtime;
  };
  const listen = register(definition.name, async () => {
    const ready = await open();
    return functionApp(definition, ready, createServices(ready));
  });
  subscribe('tracing:net.server.listen:asyncEnd', (message) => {
    const server = typeof message === 'object' && message !== null && 'server' in message ? message.server : undefined;
    if (!(server instanceof Server)) return;
    answerDirectly(server, listen);
    // After the framework's own listener, whose signal handlers are to go.
    setImmediate(() => {
      closeGracefully(server, open);
      void open().then(async ({ database, logger }) => {
        await database.ping().catch(() => undefined);
        await logger.attachCloudTransport();
      });
    });
  });
};
