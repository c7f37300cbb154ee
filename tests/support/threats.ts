import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServices } from '#functions/security/services.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { threatRulesSchema } from '#shared/security/index.ts';
import type { TestRuntime } from './runtime.ts';

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
