import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Manifest } from './manifest.ts';

/** Answers a request: a function in this process, one in another, or a page of the starter. */
export type Target = (request: IncomingMessage, response: ServerResponse) => void;

/** Whether a path is at or below another. */
export const isUnder = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);

/**
 * The name of the function that a path belongs to, as the load balancer finds it and as push subscriptions are set up.
 * Any function can answer what all have in common: health, and the refusal of an unknown path.
 */
export const functionOf = ({ functions }: Manifest, path: string): string => {
  const [, job] = /^\/internal\/jobs\/([^/]+)$/.exec(path) ?? [];
  const outside = isUnder(path, '/internal') ? path.slice('/internal'.length) : path;
  const found = functions.find(({ paths, jobs }) =>
    job === undefined ? paths.some((prefix) => isUnder(outside, prefix)) : jobs.some(({ name }) => name === job),
  );
  return (found ?? functions[0])?.name ?? '';
};

/** Hands requests on to another process, and its answer back, without keeping either. */
export const proxyTo =
  (port: number): Target =>
  (incoming, response) => {
    const from = incoming.socket.remoteAddress ?? '';
    const earlier = incoming.headers['x-forwarded-for'];
    const headers = {
      ...incoming.headers,
      'x-forwarded-for': earlier === undefined ? from : `${earlier}, ${from}`,
      'x-forwarded-proto': 'http',
    };
    const { method, url } = incoming;
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    outgoing.once('error', () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { 'content-type': 'text/plain' }).end('The function does not answer.\n');
    });
    response.once('close', () => {
      outgoing.destroy();
      // Answered before all was sent: the rest is read, so that the connection can be used again.
      incoming.unpipe(outgoing).resume();
    });
    incoming.pipe(outgoing);
  };

export interface Front {
  readonly server: Server;
  /** Until then every request is answered with 503. */
  open(route: (path: string) => Target): void;
}

const starting: Target = (_request, response) => {
  response.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain' }).end('Omni is starting.\n');
};

/** The one port before all functions. It can listen before they are there, so that a taken port is found out first. */
export const createFront = (): Front => {
  let route: (path: string) => Target = () => starting;
  const server = createServer((incoming, response) => {
    // A path only: `//host/x` and `http://host/x` are no names of other hosts here.
    const path = (incoming.url ?? '/').replace(/[?#].*$/s, '');
    route(path)(incoming, response);
  });
  return {
    server,
    open: (opened) => {
      route = opened;
    },
  };
};
