import Stripe from 'stripe';
import { expectStatus, keepAlive, send, timeOf } from './client.ts';
import { builtFunction, type Ground, stripeSecret, tenant, withFunction } from './ground.ts';
import { interleaved, type Row } from './measure.ts';

const runs = 7;
const concurrency = 32;
const webhooks = 400;
/** Rounds of both before those that count: the emulators and the function are to be as warm as each other. */
const warmUps = 3;
const account = 'acct_bench';

interface Webhook {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Signed by Stripe's own library. Ids are never used twice. */
const signedWebhook = (run: number, index: number): Webhook => {
  const object = {
    id: `sub_${run}_${index}`,
    object: 'subscription',
    customer: `cus_${index}`,
    status: 'active',
    items: {
      object: 'list',
      data: [{ id: `si_${index}`, price: { id: 'price_1', unit_amount: 4_900, currency: 'usd' } }],
    },
    metadata: { plan: 'team', seats: '12' },
  };
  const body = JSON.stringify({
    id: `evt_${run}_${index}`,
    object: 'event',
    type: 'customer.subscription.updated',
    account,
    created: Math.floor(Date.now() / 1_000),
    livemode: false,
    data: { object },
  });
  const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: stripeSecret });
  return { body, headers: { 'content-type': 'application/json', 'stripe-signature': signature } };
};

export const webhookIntake = async ({ environment, firestore }: Ground): Promise<Row> => {
  // The document that the intake service's `connect` makes.
  await firestore.doc(`providerAccounts/stripe:${account}`).set({ tenant, connectedAt: new Date().toISOString() });
  const agent = keepAlive(concurrency);
  const pair = await withFunction(builtFunction('webhooks'), environment, async (url) => {
    const ours = async (run: number): Promise<number> => {
      const signed = Array.from({ length: webhooks }, (_, index) => signedWebhook(run, index));
      const milliseconds = await timeOf(webhooks, concurrency, async (index) => {
        const answer = await send(agent, `${url}/webhooks/stripe`, { method: 'POST', ...signed[index] });
        expectStatus(answer, 200);
        if (!answer.text.includes('published')) throw new Error(`A webhook was not published: ${answer.text}`);
      });
      return (webhooks * 1_000) / milliseconds;
    };
    const baseline = async (run: number): Promise<number> => {
      const bodies = Array.from({ length: webhooks }, (_, index) => signedWebhook(run, index).body);
      const milliseconds = await timeOf(webhooks, concurrency, async (index) => {
        await firestore
          .doc(`baselineIntake/evt_${run}_${index}`)
          .create({ provider: 'stripe', payload: bodies[index] });
      });
      return (webhooks * 1_000) / milliseconds;
    };
    return interleaved(runs, ours, baseline, warmUps);
  });
  agent.destroy();
  return {
    name: 'Webhook intake',
    unit: '/s',
    ...pair,
    ratio: pair.ours / pair.baseline,
    bar: { atLeast: 0.5 },
    how:
      `Median of ${runs} runs of ${webhooks} webhooks, ${concurrency} at a time, after ${warmUps} to warm up. Ours: the ` +
      'built `webhooks` function; ' +
      'each webhook has its own id and a real Stripe signature; the signature is checked, the event is published, the ' +
      'intake is kept, then 200. Those that come at the same time share publications and commits. Baseline: as many ' +
      '`create()` of one document with the same payload by a plain Firestore client.',
    bound:
      'both write one document, and a webhook is also an HTTP request, a signature over its body and a publish. All ' +
      'processes share the same few cores here, the Pub/Sub emulator and the sender of the webhooks with them, so the ' +
      'ratio is that of the processor time in all of them. In the cloud only the function has to keep up.',
  };
};
