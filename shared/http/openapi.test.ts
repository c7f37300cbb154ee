import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { endpoint, handle } from './endpoint.ts';
import { joinOpenApi, openApiDocument } from './openapi.ts';

const info = { title: 'Test', version: '1' };
const part = z.object({ size: z.int() }).meta({ id: 'Part' });
const thing = z.object({ name: z.string().default('x'), parts: z.array(part) }).meta({ id: 'Thing' });

const get = endpoint({
  method: 'get',
  path: '/api/v1/things/{id}',
  summary: 'Get a thing',
  access: { scopes: ['things:read'] },
  params: z.object({ id: z.string().max(10).meta({ description: 'Of the thing.' }) }),
  query: z.strictObject({ full: z.enum(['yes', 'no']).optional() }),
  status: 200,
  response: thing,
  errors: ['not-found'],
});
const create = endpoint({
  method: 'post',
  path: '/api/v1/things',
  summary: 'Make a thing',
  access: { scopes: ['things:write'] },
  body: thing,
  status: 201,
  response: thing,
});
const remove = endpoint({
  method: 'delete',
  path: '/api/v1/things/{id}',
  summary: 'Delete a thing',
  access: { scopes: ['things:write'] },
  params: z.object({ id: z.string() }),
  status: 204,
});
const receive = endpoint({
  method: 'post',
  path: '/webhooks/things',
  summary: 'Receive a thing',
  access: 'public',
  rawBody: true,
  status: 200,
  errors: ['invalid-signature'],
});
const tick = endpoint({ method: 'post', path: '/tick', summary: 'Tick', access: 'internal', status: 204 });

const value = { name: 'x', parts: [] };
const routes = [
  handle(get, () => value),
  handle(create, () => value),
  handle(remove, () => undefined),
  handle(receive, () => undefined),
  handle(tick, () => undefined),
];
const { paths, components, tags } = openApiDocument(info, routes);
const statuses = (path: string, method: string) =>
  Object.keys(z.looseObject({}).parse(paths[path]?.[method]?.responses));

describe('the OpenAPI document', () => {
  it('has every operation but the internal ones', () => {
    expect(Object.entries(paths).map(([path, methods]) => [path, Object.keys(methods)])).toEqual([
      ['/api/v1/things/{id}', ['get', 'delete']],
      ['/api/v1/things', ['post']],
      ['/webhooks/things', ['post']],
    ]);
    expect(tags).toEqual([{ name: 'things' }, { name: 'webhooks' }]);
  });

  it('names operations by method and path', () => {
    expect(paths['/api/v1/things/{id}']?.get).toMatchObject({ operationId: 'getApiV1ThingsId', tags: ['things'] });
  });

  it('says who may call', () => {
    expect(paths['/api/v1/things']?.post).toMatchObject({ security: [{ apiKey: [] }], 'x-scopes': ['things:write'] });
    expect(paths['/webhooks/things']?.post).toMatchObject({ security: [] });
  });

  it('makes parameters of path and query', () => {
    expect(paths['/api/v1/things/{id}']?.get?.parameters).toEqual([
      {
        name: 'id',
        in: 'path',
        required: true,
        description: 'Of the thing.',
        schema: { type: 'string', maxLength: 10 },
      },
      { name: 'full', in: 'query', required: false, schema: { type: 'string', enum: ['yes', 'no'] } },
    ]);
  });

  it('offers an idempotency key for what makes something', () => {
    expect(paths['/api/v1/things']?.post?.parameters).toMatchObject([{ name: 'Idempotency-Key', in: 'header' }]);
    expect(paths['/webhooks/things']?.post?.parameters).toEqual([]);
  });

  it('keeps named schemas once, and refers to them', () => {
    expect(Object.keys(components.schemas).sort()).toEqual(['Part', 'Problem', 'Thing', 'ThingInput']);
    expect(components.schemas.Thing).toMatchObject({
      properties: { parts: { items: { $ref: '#/components/schemas/Part' } } },
    });
    expect(JSON.stringify(paths)).not.toContain('$defs');
  });

  it('lists the refusals that an operation can give, and no other', () => {
    const always = ['400', '401', '403', '429', '500', '503'];
    expect(statuses('/api/v1/things/{id}', 'get')).toEqual(['200', ...always, '404'].sort());
    expect(statuses('/api/v1/things', 'post')).toEqual(['201', ...always, '409', '413', '415', '422'].sort());
    expect(statuses('/api/v1/things/{id}', 'delete')).toEqual(['204', ...always, '413', '415'].sort());
    expect(statuses('/webhooks/things', 'post')).toEqual(['200', ...always, '413', '415'].sort());
  });

  it('is joined of several', () => {
    const of = (withId: boolean) =>
      openApiDocument(
        info,
        routes.filter((route) => route.endpoint.path.endsWith('{id}') === withId),
      );
    const [one, two] = [of(true), of(false)];
    const joined = joinOpenApi({ ...info, servers: ['https://api.example.com'] }, [one, two]);
    expect(Object.keys(joined.components.schemas)).toEqual(expect.arrayContaining(['Part', 'Problem', 'Thing']));
    expect(joined.servers).toEqual([{ url: 'https://api.example.com' }]);
    expect(joined.tags).toEqual(tags);
  });
});
