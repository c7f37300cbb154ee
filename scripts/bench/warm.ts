import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { root } from '../lib/functions.ts';
import { expectStatus, firstAnswer, type HttpRequest } from './client.ts';
import { bearer, builtFunction, type Ground, postQuestion, withFunction, writeBaseline } from './ground.ts';
import { interleaved, type Row } from './measure.ts';

const baselineCode = `
const functions = require('@google-cloud/functions-framework');
const { Firestore } = require('@google-cloud/firestore');
const firestore = new Firestore();
functions.http('baseline', async (request, response) => {
  if (request.path === '/get') {
    response.json((await firestore.doc('baseline/answer').get()).data());
  } else if (request.path === '/create') {
    await firestore.collection('baselineMade').doc().create(request.body);
    response.status(201).json(request.body);
  } else {
    response.json({ status: 'ok', version: 'dev' });
  }
});
`;

const report = z.object({
  requests: z.object({ average: z.number() }),
  non2xx: z.int(),
  errors: z.int(),
});

const connections = 16;
const seconds = 2;

/** Requests a second, by autocannon in a process of its own. */
const load = async (url: string, { method = 'GET', headers = {}, body }: HttpRequest): Promise<number> => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(root, 'node_modules/autocannon/autocannon.js'),
    '--json',
    ...['--connections', String(connections), '--duration', String(seconds), '--method', method],
    ...Object.entries(headers).flatMap(([name, value]) => ['--headers', `${name}=${value}`]),
    ...(body === undefined ? [] : ['--body', String(body)]),
    url,
  ]);
  const { requests, non2xx, errors } = report.parse(JSON.parse(stdout));
  if (non2xx + errors > 0) throw new Error(`${url}: ${non2xx} refusals and ${errors} errors under load.`);
  return requests.average;
};

const runs = 7;
const method = `Median of ${runs} runs of ${seconds} s each, ${connections} connections, autocannon in a process of its own.`;

export const warmRequests = async (ground: Ground): Promise<Row[]> => {
  const { environment, key, prediction, firestore } = ground;
  const folder = await writeBaseline('warm', baselineCode);
  return withFunction(builtFunction('ai'), environment, (ours) =>
    withFunction(folder, environment, async (baseline) => {
      const stored = await firstAnswer(`${ours}${prediction}`, { headers: bearer(key) });
      expectStatus(stored, 200);
      await firestore.doc('baseline/answer').set(JSON.parse(stored.text));

      const compare = async (path: string, theirs: string, request: HttpRequest) => {
        const pair = await interleaved(
          runs,
          () => load(`${ours}${path}`, request),
          () => load(`${baseline}${theirs}`, request),
        );
        return { ...pair, unit: '/s', ratio: pair.ours / pair.baseline } as const;
      };
      const get = { headers: bearer(key) };
      return [
        {
          name: 'Warm request through the whole pipeline, cached principal',
          ...(await compare('/healthz', '/', get)),
          bar: { atLeast: 0.5 },
          how:
            `${method} Ours: the built \`ai\` function, \`GET /healthz\` with an API key: all seven middlewares work ` +
            '(the key is checked, two rate limits are taken, usage is counted, an ETag is made) and no store read ' +
            'is in the way. Baseline: a bare handler of the functions framework that answers the same JSON. Ours takes ' +
            "the requests past the framework's Express (docs/decisions/0002-past-express.md).",
        },
        {
          name: 'Warm request with one store read',
          ...(await compare(prediction, '/get', get)),
          how: `${method} Ours: GET of a stored prediction. Baseline: a bare handler with one \`get\` of the same document.`,
        },
        {
          name: 'Validated POST that stores',
          ...(await compare(prediction.slice(0, prediction.lastIndexOf('/')), '/create', postQuestion(key))),
          how:
            `${method} Ours: a churn prediction: the body validated, scored, stored with its event, published, the ` +
            'outbox cleared. Baseline: a bare handler that creates one document.',
        },
      ];
    }),
  );
};
