import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { type NewId, newId as randomId } from '../../kernel/ids.ts';
import type { ApiFault } from './sandbox.admin.ts';
import { createBook, type SandboxAccount } from './sandbox.book.ts';
import { createEngine, type Engine } from './sandbox.engine.ts';
import { createHandler } from './sandbox.http.ts';
import { createWebhookSender, type WebhookSender } from './sandbox.webhooks.ts';

export interface AcmePaySandboxOptions {
  readonly clock?: Clock;
  readonly newId?: NewId;
  /** Seconds until a delayed debit or a slow refund is settled. 60 where absent. */
  readonly settleAfter?: number;
  /** 0, where absent, takes a free one. */
  readonly port?: number;
  /** Milliseconds between looking for what is due. Nothing happens by itself where absent: call `deliver`. */
  readonly every?: number;
  /** Proves whoever sets faults and makes accounts over HTTP. Random where absent. */
  readonly adminToken?: string;
}

/** A running sandbox, and what may be done to it besides what its API offers. */
export interface AcmePaySandbox {
  readonly baseUrl: string;
  readonly adminToken: string;
  readonly engine: Engine;
  readonly webhooks: WebhookSender;
  /** Makes an account with keys of its own. */
  open(options?: { readonly id?: string; readonly livemode?: boolean; readonly secretKey?: string }): SandboxAccount;
  /** What happens to the next requests. */
  fail(...faults: readonly ApiFault[]): void;
  /** Requests so far, oldest first: `POST /v1/payments`. */
  readonly requests: readonly string[];
  /** Settles what is due, and sends the webhooks that are. */
  deliver(): Promise<void>;
  stop(): Promise<void>;
}

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
      else reject(new Error('The sandbox has no port.'));
    });
  });

/**
 * AcmePay, the reference gateway: a complete payment provider in one process, over HTTP, with state, keys, test cards,
 * challenges, refunds, disputes, webhooks and faults on demand. What it holds is lost when it ends.
 */
export const startAcmePaySandbox = async (options: AcmePaySandboxOptions = {}): Promise<AcmePaySandbox> => {
  const { clock = systemClock, newId = randomId, settleAfter = 60, port = 0, every } = options;
  const adminToken = options.adminToken ?? randomBytes(24).toString('hex');
  const accounts = new Map<string, SandboxAccount>();
  const faults: ApiFault[] = [];
  const requests: string[] = [];
  let baseUrl = '';
  const webhooks = createWebhookSender({ clock });
  const pageOf = (payment: string): string => `${baseUrl}/pay/${payment}`;
  const engine = createEngine(createBook({ clock, newId, settleAfter, pageOf, onEvent: webhooks.enqueue }), newId);

  const open: AcmePaySandbox['open'] = ({ id = newId('acct'), livemode = false, secretKey } = {}) => {
    const mode = livemode ? 'live' : 'test';
    const account: SandboxAccount = {
      id,
      livemode,
      secretKey: secretKey ?? newId(`ak_${mode}`),
      publishableKey: newId(`pk_${mode}`),
    };
    accounts.set(account.secretKey, account);
    accounts.set(account.publishableKey, account);
    return account;
  };
  const deliver = async (): Promise<void> => {
    engine.settleAll();
    await webhooks.deliver();
  };
  const fail: AcmePaySandbox['fail'] = (...next) => {
    faults.push(...next);
  };

  const handle = createHandler({ engine, webhooks, accounts, faults, requests, adminToken, clock, open, deliver });
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  baseUrl = `http://127.0.0.1:${await listen(server, port)}`;
  const timer = every === undefined ? undefined : setInterval(() => void deliver(), every);
  return {
    baseUrl,
    adminToken,
    engine,
    webhooks,
    open,
    fail,
    requests,
    deliver,
    stop: () => {
      clearInterval(timer);
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
};
