import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

const readAll = async (response: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return text;
};

/** One request by Node's plain client, which costs the least beside what is measured. */
export const send = (agent: Agent, url: string, { method = 'GET', headers = {}, body }: HttpRequest = {}) =>
  new Promise<HttpAnswer>((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = request(url, { agent, method, headers: { ...headers, ...length } }, (response) => {
      readAll(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });

/** Throws where the answer is another. */
export const expectStatus = ({ status, text }: HttpAnswer, wanted: number): void => {
  if (status !== wanted) throw new Error(`Expected ${wanted}, got ${status}: ${text.slice(0, 300)}`);
};

export const keepAlive = (connections: number): Agent => new Agent({ keepAlive: true, maxSockets: connections });

const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';

const patience = 30_000;

/** The first answer of a process that is starting. Asks every 2 ms: a refused connection costs next to nothing. */
export const firstAnswer = async (url: string, options: HttpRequest = {}): Promise<HttpAnswer> => {
  const agent = new Agent();
  const deadline = performance.now() + patience;
  for (;;) {
    try {
      return await send(agent, url, options);
    } catch (error) {
      if (!isRefused(error) || performance.now() > deadline) throw error;
      await sleep(2);
    }
  }
};

/** Milliseconds for `count` calls of `work`, of which `concurrency` run at a time. */
export const timeOf = async (
  count: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<number> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  return performance.now() - started;
};
