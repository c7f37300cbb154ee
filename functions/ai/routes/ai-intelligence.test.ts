import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { predictionViewSchema, rollupViewSchema } from '#shared/ai/index.ts';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { ai } from '../app.ts';
import { createServices } from '../services.ts';

const base = '/api/v1/ai-intelligence/churn-prediction';
const newcomer = { tenure: 1, monthlyCharges: 95, contract: 'Month-to-month', internetService: 'Fiber optic' };
const settled = { tenure: 70, monthlyCharges: 20, contract: 'Two year', internetService: 'No' };
const scopes = ['ai:predict', 'ai:read'];

const runtime = await testRuntime();
const app = runtime.start(ai, createServices);
let key: string;
beforeAll(async () => {
  key = await runtime.key('acme', scopes);
});

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, { key, ...options });
const prediction = async (response: Response) => predictionViewSchema.parse(await response.json());
const predictions = pageSchema(predictionViewSchema);
const refusal = async (response: Response) => {
  const { status, code, errors } = problemSchema.parse(await response.json());
  return { status, code, paths: errors?.map(({ path }) => path), messages: errors?.map(({ message }) => message) };
};

describe('POST churn-prediction', () => {
  it('answers 201 with the stored prediction, and says where it is', async () => {
    const response = await send('', { body: { customerId: 'cus-1', customer: newcomer } });
    expect(response.status).toBe(201);
    const made = await prediction(response);
    expect(response.headers.get('location')).toBe(`${base}/${made.id}`);
    expect(await prediction(await send(`/${made.id}`))).toEqual(made);
  });

  it('explains itself: what moved the score by how much, what to do, what was left out, by which model and when', async () => {
    const made = await prediction(await send('', { body: { customer: { ...newcomer, paymentMethod: 'Barter' } } }));
    expect(made).toMatchObject({
      riskLevel: expect.stringMatching(/high|critical/),
      modelVersion: expect.stringMatching(/^\d+-[\da-f]{12}$/),
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    expect(made.probability).toBeGreaterThan(0.5);
    expect(made.factors[0]).toMatchObject({ feature: 'tenure', value: 1, effect: 'raises' });
    expect(made.recommendations.map(({ code }) => code)).toContain('offer-longer-contract');
    const notices = new Map(made.notices.map(({ feature, issue }) => [feature, issue]));
    expect(notices.get('paymentMethod')).toBe('unknown-category');
    expect(notices.get('techSupport')).toBe('missing');
  });

  it('runs once for an idempotency key', async () => {
    const options = { body: { customer: newcomer }, headers: { 'idempotency-key': 'only-once' } };
    const first = await prediction(await send('', options));
    expect(await prediction(await send('', options))).toEqual(first);
  });

  it.each([
    ['no customer', {}, 'body.customer'],
    ['an empty customer', { customer: {} }, 'body.customer'],
    ['a customer of nulls', { customer: { tenure: null } }, 'body.customer'],
    ['an unknown feature', { customer: { tenure: 1, gender: 'Female' } }, 'body.customer.gender'],
    ['a bad feature', { customer: { tenure: -1 } }, 'body.customer.tenure'],
    ['an unknown field', { customer: newcomer, tenant: 'other' }, 'body.tenant'],
    ['an oversized customer id', { customerId: 'x'.repeat(129), customer: newcomer }, 'body.customerId'],
    ['a control character', { customerId: 'a\u0000b', customer: newcomer }, 'body.customerId'],
  ])('refuses %s', async (_what, body, path) => {
    expect(await refusal(await send('', { body }))).toMatchObject({
      status: 400,
      code: 'invalid-request',
      paths: [path],
    });
  });

  it('says of an empty customer what it wants', async () => {
    const { messages } = await refusal(await send('', { body: { customer: {} } }));
    expect(messages).toEqual(['Give at least one feature of the customer']);
  });

  it.each([
    ['Ünïcode 漢字 😀', 201],
    ['__proto__', 201],
    ['\ud800', 400],
  ])('answers the category %j with %i', async (contract, status) => {
    expect((await send('', { body: { customer: { ...newcomer, contract } } })).status).toBe(status);
  });
});

describe('POST churn-prediction/batch', () => {
  it('answers in the order of the customers', async () => {
    const customers = [{ customerId: 'a', customer: newcomer }, { customer: settled }];
    const response = await send('/batch', { body: { customers } });
    expect(response.status).toBe(201);
    const { items } = z.object({ items: z.array(predictionViewSchema) }).parse(await response.json());
    expect(items.map(({ customer }) => customer)).toEqual([newcomer, settled]);
    expect(items[0]?.customerId).toBe('a');
  });

  it('names the item of every bad field, and stores nothing', async () => {
    const key = await runtime.key('bad-batch', scopes);
    const customers = [{ customer: newcomer }, { customer: { tenure: -1 } }, { customer: {} }];
    expect(await refusal(await send('/batch', { key, body: { customers } }))).toMatchObject({
      status: 400,
      paths: ['body.customers.1.customer.tenure', 'body.customers.2.customer'],
    });
    expect(predictions.parse(await (await send('', { key })).json()).items).toEqual([]);
  });

  it.each([0, 101])('refuses %i customers', async (length) => {
    const customers = Array.from({ length }, () => ({ customer: newcomer }));
    expect(await refusal(await send('/batch', { body: { customers } }))).toMatchObject({ paths: ['body.customers'] });
  });
});

describe('GET churn-prediction', () => {
  it('walks the list, newest first, and filters it', async () => {
    const key = await runtime.key('lister', scopes);
    for (const customer of [newcomer, settled, settled]) {
      runtime.clock.advance(1_000);
      await send('', { key, body: { customerId: customer === settled ? 'calm' : 'new', customer } });
    }
    const page = async (query: string) => predictions.parse(await (await send(query, { key })).json());
    const first = await page('?limit=2');
    const rest = await page(`?limit=2&cursor=${first.nextCursor}`);
    const times = [...first.items, ...rest.items].map(({ createdAt }) => createdAt);
    expect(times).toHaveLength(3);
    expect(times).toEqual(times.toSorted().reverse());
    expect(rest.nextCursor).toBeNull();
    expect((await page('?riskLevel=low&customerId=calm')).items).toHaveLength(2);
    expect((await page('?riskLevel=low&customerId=new')).items).toEqual([]);
  });

  it.each([
    ['?riskLevel=none', 'invalid-request'],
    ['?limit=201', 'invalid-request'],
    ['?customer=x', 'invalid-request'],
    ['?cursor=forged', 'invalid-cursor'],
  ])('refuses %s', async (query, code) => {
    expect(await refusal(await send(query))).toMatchObject({ status: 400, code });
  });

  it('finds no prediction of another tenant', async () => {
    const { id } = await prediction(await send('', { body: { customer: newcomer } }));
    const stranger = await runtime.key('stranger', scopes);
    expect(await refusal(await send(`/${id}`, { key: stranger }))).toMatchObject({ status: 404, code: 'not-found' });
  });

  it.each(['/pred_nobody', '/rollups', '/batch'])('answers 404 at %s', async (path) => {
    expect(await refusal(await send(path))).toMatchObject({ status: 404, code: 'not-found' });
  });
});

describe('GET churn-prediction/rollups/{day}', () => {
  it('sums up a day once the events have reached the job', async () => {
    const key = await runtime.key('counter', scopes);
    const customers = [newcomer, newcomer, settled].map((customer) => ({ customer }));
    await send('/batch', { key, body: { customers } });
    await runtime.bus.idle();
    const rollup = rollupViewSchema.parse(await (await send('/rollups/2026-01-01', { key })).json());
    expect(rollup).toMatchObject({ kind: 'churn', day: '2026-01-01', count: 3, byRiskLevel: { low: 1 } });
  });

  it('refuses what is no day', async () => {
    expect(await refusal(await send('/rollups/2026-02-30'))).toMatchObject({ status: 400, paths: ['path.day'] });
  });
});

describe('scopes', () => {
  const body = { customer: newcomer };
  it.each([
    ['', 'ai:read', { body }],
    ['/batch', 'ai:read', { body: { customers: [body] } }],
    ['', 'ai:predict', {}],
    ['/pred_1', 'ai:predict', {}],
    ['/rollups/2026-01-01', 'ai:predict', {}],
  ])('%s is closed to a key with %s alone', async (path, scope, options: TestRequest) => {
    const narrow = await runtime.key('acme', [scope]);
    expect(await refusal(await send(path, { key: narrow, ...options }))).toMatchObject({ status: 403 });
  });
});

describe('the OpenAPI document', () => {
  const anyObject = z.record(z.string(), z.unknown());
  const openApi = z.object({ paths: anyObject, components: z.object({ schemas: anyObject }) });

  it('names the schemas and shows how to ask', async () => {
    const document = openApi.parse(await (await request(app, '/openapi.json')).json());
    expect(Object.keys(document.paths).filter((path) => path.startsWith(base))).toHaveLength(4);
    expect(document.components.schemas).toMatchObject({
      ChurnInput: { examples: [{ customer: { tenure: 2 } }] },
      ChurnFeatures: { properties: { tenure: { description: expect.any(String) } } },
      ChurnPrediction: { properties: { factors: { items: { $ref: '#/components/schemas/ChurnFactor' } } } },
      ChurnRollup: {},
    });
    expect(JSON.stringify(document)).not.toContain('$defs');
  });
});
