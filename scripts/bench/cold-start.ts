import { startFramework } from '../lib/framework-process.ts';
import { expectStatus, firstAnswer, type HttpRequest } from './client.ts';
import { bearer, builtFunction, type FunctionFolder, type Ground, writeBaseline } from './ground.ts';
import { interleaved, type Row } from './measure.ts';

const baselineCode = `
const functions = require('@google-cloud/functions-framework');
const { Firestore } = require('@google-cloud/firestore');
const firestore = new Firestore();
functions.http('baseline', async (request, response) => {
  const snapshot = await firestore.doc(request.query.doc).get();
  response.json(snapshot.data());
});
`;

interface Started extends FunctionFolder {
  readonly path: string;
  readonly request: HttpRequest;
}

/** Milliseconds from spawn to the whole first answer. */
const startTime = async (environment: Ground['environment'], { path, request, ...rest }: Started): Promise<number> => {
  const started = performance.now();
  const process = await startFramework({ ...rest, env: environment });
  try {
    expectStatus(await firstAnswer(`http://127.0.0.1:${process.port}${path}`, request), 200);
    return performance.now() - started;
  } finally {
    await process.stop();
  }
};

const runs = 9;

export const coldStart = async ({ environment, key, prediction, firestore }: Ground): Promise<Row> => {
  await firestore.doc('baseline/one').set({ name: 'one', size: 1 });
  const ai: Started = {
    ...builtFunction('ai'),
    path: prediction,
    request: { headers: bearer(key) },
  };
  const baseline: Started = {
    ...(await writeBaseline('cold', baselineCode)),
    path: '/?doc=baseline/one',
    request: {},
  };
  const { ours, baseline: theirs } = await interleaved(
    runs,
    () => startTime(environment, ai),
    () => startTime(environment, baseline),
  );
  return {
    name: 'Cold start, spawn to first 200 with one store read',
    unit: 'ms',
    ours,
    baseline: theirs,
    ratio: ours / theirs,
    bar: { atMost: 1 },
    how:
      `Median of ${runs} processes each. Ours: the built \`ai\` function, GET of a prediction with an API key, which ` +
      'reads the key, its tenant and the prediction, and leases rate limit tokens. Baseline: the functions framework ' +
      'and an unbundled @google-cloud/firestore, one `get`, nobody authenticated. Both have their files in the ' +
      "system's cache.",
    bound: 'ours makes four dependent round trips to the store before it can answer, the baseline one.',
  };
};
