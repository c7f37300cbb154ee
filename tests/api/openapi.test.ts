import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadFunctions } from '#scripts/lib/functions.ts';
import { joinedOpenApi } from '#scripts/lib/generated.ts';
import { problemSchema, problems } from '#shared/http/problem.ts';
import { accessToken } from '#tests/support/auth.ts';
import { type JsonSchema, judgeOf, valid } from '#tests/support/json-schema.ts';
import { type Operation, parametersIn, pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { makeResources, type Resources } from '#tests/support/resources.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { signers, webhookEnvironment } from '#tests/support/signatures.ts';

const runtime = await testRuntime({ environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = await startOperations(runtime);
const document = await joinedOpenApi(await loadFunctions());

const named = operations.map((operation) => [operation.name, operation] as const);

describe('the OpenAPI document of all functions', () => {
  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    expect(result).toMatchObject({ valid: true });
  });

  it('refers to nothing that is not there', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference = '']) => reference);
    const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(references.filter((reference) => !known.includes(reference))).toEqual([]);
  });

  it('has every operation of every function once', () => {
    const joined = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
    expect(joined).toHaveLength(operations.length);
    const ids = operations.map(({ described }) => described.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has no internal operation', () => {
    expect(Object.keys(document.paths).filter((path) => /^\/(internal|jobs|dead-letters|metrics)/.test(path))).toEqual(
      [],
    );
  });

  it('gives a named schema one meaning in all functions', () => {
    for (const { schemas } of operations) {
      for (const [name, schema] of Object.entries(schemas)) expect(document.components.schemas[name]).toEqual(schema);
    }
  });
});

const fieldsOf = ({ properties = {}, items, anyOf = [] }: JsonSchema): [string, JsonSchema][] => [
  ...Object.entries(properties),
  ...Object.values(properties).flatMap(fieldsOf),
  ...(items === undefined ? [] : fieldsOf(items)),
  ...anyOf.flatMap(fieldsOf),
];

/** Only what the service itself gave out succeeds, or what a gateway takes: their own tests send that. */
const unguessable = new Set([
  'POST /api/v1/advanced-security/values/decrypt',
  'PUT /api/v1/security/policy',
  'POST /api/v1/threat-detection/blocks',
  'PUT /api/v1/threat-detection/rules',
  // They name what a tenant must have made before, or what its state does not allow.
  ...['prices', 'promotion-codes', 'subscriptions', 'invoices', 'meters/{id}/corrections', 'test-clock']
    .concat(['subscriptions/{id}/preview', 'subscriptions/{id}/change'])
    .concat(['customers/{id}/holds'])
    .map((path) => `POST /api/v1/billing/${path}`),
  ...['experiments', 'experiments/{id}/assignments', 'experiments/{id}/conversions'].map(
    (path) => `POST /api/v1/monetization/${path}`,
  ),
  ...['portal-sessions', 'refunds', 'subscriptions'].map((path) => `POST /api/v1/stripe/${path}`),
  ...['payments', 'payments/{id}/returns', 'payments/{id}/refunds/{refund}/settle'].map(
    (path) => `POST /api/v1/crypto/${path}`,
  ),
  'DELETE /api/v1/auth/sessions/{id}',
  'DELETE /api/v1/auth/passkeys/{id}',
  ...['email/confirm', 'email/verify', 'magic-link/sign-in', 'password/reset']
    .concat(['refresh', 'sign-in', 'sign-up', 'token', 'passkeys/registration', 'passkeys/sign-in'])
    .concat(['passkeys/sign-in/options', 'oidc/{provider}/start', 'oidc/{provider}/callback'])
    .map((path) => `POST /api/v1/auth/${path}`),
  'DELETE /api/v1/mfa/factors/{id}',
  'DELETE /api/v1/mfa/trusted-devices/{id}',
  ...['challenge/send', 'challenge/passkey', 'challenge/verify', 'challenge/enrolment', 'challenge/enrolment/confirm']
    .concat(['step-up/verify', 'totp/confirm', 'phone/confirm', 'email/confirm', 'resets', 'resets/cancel'])
    .map((path) => `POST /api/v1/mfa/${path}`),
  ...['suspension', 'deletion', 'restoration', 'leave', 'ownership-transfer', 'ownership-transfer/accept']
    .concat(['tenants', 'invitations/accept', 'domains'])
    .map((path) => `POST /api/v1/tenant/${path}`),
  ...['/gateway-accounts', '/ledger/transactions'].map((path) => `POST /api/v1/payments${path}`),
]);

let shared: Promise<Resources> | undefined;
/** What only reads shares one tenant; what writes has its own, because some operations end what others read. */
const resourcesOf = ({ method, path }: Operation, tenant: string): Promise<Resources> => {
  if (method !== 'GET') return makeResources(runtime, operations, tenant, path);
  shared ??= makeResources(runtime, operations, tenant);
  return shared;
};

describe.each(named)('%s', (_name, operation) => {
  const { described, method, path, body, codes, scopes, answers, schemas } = operation;

  it('says what it does, where it belongs and who may call', () => {
    expect(described.summary).toMatch(/^[A-Z][^.]{4,70}$/);
    expect(described.tags).toHaveLength(1);
    expect(described.security).toEqual(scopes === undefined ? [] : [{ apiKey: [] }]);
    expect(scopes ?? []).toEqual(described['x-scopes'] ?? []);
  });

  it('describes every parameter of its path', () => {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(parametersIn(operation, 'path').map(({ name }) => name)).toEqual(names);
  });

  it('describes its fields or shows an example of its body', () => {
    if (body === undefined || body === 'raw') return;
    const referred = /"#\/components\/schemas\/(\w+)"/.exec(JSON.stringify(body))?.[1] ?? '';
    const whole = [body, schemas[referred] ?? {}];
    const isShown = whole.some(({ examples = [] }) => examples.length > 0);
    expect(isShown || whole.flatMap(fieldsOf).every(([, { description }]) => description !== undefined)).toBe(true);
  });

  it('names each refusal by codes of the table, under their status', () => {
    const byStatus = Object.entries(described.responses).filter(([status]) => Number(status) >= 400);
    expect(byStatus.length).toBeGreaterThan(0);
    for (const [status, { description, content }] of byStatus) {
      const here = [...description.matchAll(/`([a-z-]+)`:/g)].map(([, code = '']) => code);
      expect(here.length).toBeGreaterThan(0);
      expect(
        Object.entries(problems)
          .filter(([code]) => here.includes(code))
          .map(([, one]) => one.status),
      ).toEqual(here.map(() => Number(status)));
      expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
    }
    if (path.includes('{id}')) expect(codes).toContain('not-found');
  });

  it('answers as it is described', async () => {
    const judges = new Map([...answers].map(([status, schema]) => [status, schema && judgeOf(schema, schemas)]));
    const statuses = new Set<number>();
    const tenant = method === 'GET' ? 'reader' : `tenant-${operations.indexOf(operation)}`;
    const resources = await resourcesOf(operation, tenant);
    const key = operation.person ? await accessToken(runtime, tenant) : await runtime.key(tenant, ['*']);
    const parameters = parametersIn(operation, 'query').filter(({ name }) => name !== 'cursor');
    const query = fc
      .tuple(...parameters.map(({ name, schema }) => valid(schema, schemas).map((value) => [name, String(value)])))
      .chain((pairs) => fc.subarray(pairs));
    const bodies = body === undefined || body === 'raw' ? fc.constant(undefined) : valid(body, schemas);
    await fc.assert(
      fc.asyncProperty(query, bodies, fc.uuid(), async (search, sent, id) => {
        const signer = signers[path];
        const text = body === 'raw' ? signer?.body(id) : sent;
        const headers = signer?.headers(signer.body(id), runtime.clock.now() / 1000) ?? {};
        const target = `${pathWith(path, resources[path] ?? {})}?${new URLSearchParams(Object.fromEntries(search))}`;
        const response = await request(operation.app, target, {
          method,
          headers,
          ...(scopes === undefined ? {} : { key }),
          ...(text === undefined ? {} : { body: text }),
        });
        statuses.add(response.status);
        expect([...answers.keys()]).toContain(response.status);
        const answer = await response.text();
        const judge = judges.get(response.status);
        if (judge === undefined) {
          expect(answer).toBe('');
          return;
        }
        const isPage = response.headers.get('content-type')?.startsWith('text/html') === true;
        const value: unknown = isPage ? answer : JSON.parse(answer);
        expect(judge(value)).toBeUndefined();
        if (!response.ok) expect(codes).toContain(problemSchema.parse(value).code);
      }),
      // Where there is nothing to vary, twice tells as much as fifty times.
      { seed: 20_260_101, numRuns: parameters.length === 0 && body === undefined ? 2 : 50 },
    );
    const wanted = unguessable.has(operation.name) ? 0 : 1;
    expect([...statuses].filter((status) => status < 300)).toHaveLength(wanted);
  });
});
