import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';
import { createServices } from '#functions/security/services.ts';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import {
  createPasswordHasher,
  incidentViewSchema,
  signInResultSchema,
  threatRulesSchema,
  userCollection,
} from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from './auth.ts';
import { request, type TestRequest, type TestRuntime } from './runtime.ts';

const path = '/api/v1/threat-detection';

/** What a tenant has by the paths of threat detection, and two of everything that is listed. */
export const makeThreats = async (
  runtime: TestRuntime,
  tenant: string,
): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> => {
  const { blockService, incidentService, threatFindings, threatRules, users } = createServices(runtime);
  const actor = systemActor(tenant, 'test');
  const at = runtime.clock.now();
  const open = (network: string) =>
    runtime.database.transaction(async (transaction) => {
      const write = await threatFindings.prepare(transaction, tenant, {
        kind: 'credential-stuffing',
        subject: { type: 'network', id: network },
        severity: 'medium',
        affected: { count: 20, sample: [`account of ${tenant}`] },
        evidence: { accounts: 20 },
        text: `Attack on ${tenant}.`,
        at,
      });
      write(transaction);
    });
  const networks = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'];
  for (const network of networks) await open(network);
  // Rules block them, and what follows is to find that done.
  await runtime.bus.idle();
  for (const network of networks) {
    await blockService.set(actor, {
      target: 'network',
      network,
      minutes: 60,
      reason: tenant,
      sparesKnownDevices: true,
    });
  }
  const { items } = await incidentService.list(actor, { limit: 10 });
  const [incident, ...others] = items.map(({ id }) => id);
  for (const id of others) await incidentService.update(actor, id, { status: 'false-positive' });
  const [block] = (await blockService.list(actor, { limit: 1 })).items;
  const [allowance] = (await blockService.listAllowances(actor, { limit: 1 })).items;
  const rules = [
    { on: 'incident', name: `rule-of-${tenant}`, when: { minSeverity: 'critical' }, respond: ['notify-admins'] },
  ];
  await threatRules.put(actor, threatRulesSchema.parse({ rules }), 0);
  const email = `risk@${tenant}.example`;
  const user = await users.create(tenant, { email, emailVerified: true, roles: ['member'] });
  return {
    [`${path}/incidents/{id}`]: { id: incident ?? '' },
    [`${path}/blocks/{id}`]: { id: block?.id ?? '' },
    [`${path}/allowances/{id}`]: { id: allowance?.id ?? '' },
    [`${path}/users/{id}/risk`]: { id: user.id },
  };
};

/** Where people sign in from. */
export const berlin = '130.149.7.201';
export const laptop = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0';
const hour = 3_600_000;

export interface From {
  readonly ip?: string;
  readonly knownDevice?: string;
  readonly userAgent?: string;
}

export const answerOf = async (response: Response) => ({
  status: response.status,
  ...problemSchema.pick({ code: true, detail: true }).parse(await response.json()),
});

export const completed = async (response: Response) => {
  const result = signInResultSchema.parse(await response.json());
  if (result.status !== 'complete') throw new Error('A second factor is asked for.');
  return result;
};

export const idsOf = async (response: Response) =>
  pageSchema(z.looseObject({ id: z.string() })).parse(await response.json()).items;

/** The security function, in which people sign in from somewhere. It is a Monday morning. */
export const threatWorld = (runtime: TestRuntime) => {
  const world = authWorld(runtime);
  const { app } = world;
  const passwordHash = createPasswordHasher().hash(goodPassword);
  let tenants = 0;
  runtime.clock.set(Date.parse('2026-03-02T09:00:00.000Z'));

  /** A tenant of its own for each test: what is counted in one says nothing of another. */
  const newTenant = async (): Promise<{ readonly id: string; readonly key: string }> => {
    tenants += 1;
    const id = `victim-${tenants}`;
    await world.tenant(id);
    return { id, key: await runtime.key(id, ['threats:read', 'threats:write', 'security:read']) };
  };

  const send = (at: string, options: TestRequest = {}) => request(app, `${path}${at}`, options);

  const incidentsOf = async (key: string, query = '') => {
    await runtime.bus.idle();
    const items = await idsOf(await send(`/incidents?limit=200${query}`, { key }));
    return Promise.all(
      items.map(async ({ id }) => incidentViewSchema.parse(await (await send(`/incidents/${id}`, { key })).json())),
    );
  };

  const signIn = (tenant: string, email: string, password: string, from: From = {}) => {
    const { ip = berlin, knownDevice, userAgent = laptop } = from;
    const device = knownDevice === undefined ? {} : { 'omni-device': knownDevice };
    return request(app, `${base}/sign-in`, {
      body: { tenant, email, password },
      headers: { 'x-forwarded-for': ip, 'user-agent': userAgent, ...device },
    });
  };

  /** Somebody with `goodPassword`. */
  const member = async (id: string, email: string, roles: readonly string[] = ['member']): Promise<string> => {
    const { user } = await world.person(id, email, roles);
    const store = runtime.database.tenants(userCollection).of(id);
    const stored = await store.get(user);
    if (stored === undefined) throw new Error('The user is not there.');
    await store.update(user, { ...stored.value, passwordHash: await passwordHash });
    return user;
  };

  /** Signs in from one place on `days` days, and returns the token of the device. */
  const habit = async (id: string, email: string, days: number): Promise<string> => {
    let knownDevice: string | undefined;
    for (let day = 0; day < days; day += 1) {
      const from = knownDevice === undefined ? {} : { knownDevice };
      const given = (await completed(await signIn(id, email, goodPassword, from))).knownDevice;
      knownDevice ??= given;
      if (day < days - 1) runtime.clock.advance(24 * hour);
    }
    await runtime.bus.idle();
    return knownDevice ?? '';
  };

  return { ...world, newTenant, send, incidentsOf, signIn, member, habit };
};

export type RangeBehaviour = 'stall' | 'nonsense' | { readonly status: number };

export interface RangeServer {
  readonly baseUrl: string;
  /** Prefixes that were asked for, the oldest first. */
  readonly asked: readonly string[];
  /** What happens to the next requests. */
  behave(...next: RangeBehaviour[]): void;
  stop(): Promise<void>;
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex').toUpperCase();

/**
 * Speaks the range protocol (https://haveibeenpwned.com/API/v3#PwnedPasswords): five hex digits, 400 for anything else,
 * 403 without a user agent, lines that end in CRLF, padding with the count 0 where it is asked for.
 */
export const startRangeServer = async (breached: Readonly<Record<string, number>>): Promise<RangeServer> => {
  const known = Object.entries(breached).map(([password, count]) => ({ hash: sha1(password), count }));
  const asked: string[] = [];
  const next: RangeBehaviour[] = [];
  const padding = (prefix: string): string[] =>
    Array.from({ length: 800 }, (_, i) => `${sha1(`padding ${prefix} ${i}`).slice(5)}:0`);
  const server = createServer((request, response) => {
    const [, prefix] = /^\/range\/([0-9a-fA-F]{5})$/.exec(request.url ?? '') ?? [];
    const behaviour = next.shift();
    if (behaviour === 'stall') return;
    const answer = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
    if (behaviour === 'nonsense') return void answer(200, '<html>');
    if (behaviour !== undefined) return void answer(behaviour.status, '');
    if (request.headers['user-agent'] === undefined) return void answer(403, '');
    if (request.method !== 'GET' || prefix === undefined)
      return void answer(400, 'The hash prefix was not in a valid format');
    asked.push(prefix);
    const own = known
      .filter(({ hash }) => hash.startsWith(prefix.toUpperCase()))
      .map(({ hash, count }) => `${hash.slice(5)}:${count}`);
    const all = request.headers['add-padding'] === 'true' ? [...own, ...padding(prefix)] : own;
    return void answer(200, all.sort().join('\r\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    asked,
    behave: (...more) => {
      next.push(...more);
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};
