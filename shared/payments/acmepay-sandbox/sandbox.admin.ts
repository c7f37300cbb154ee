import * as z from 'zod';
import { AcmeError, type SandboxAccount } from './sandbox.book.ts';
import type { Engine } from './sandbox.engine.ts';
import { type Answer, type ApiOperation, apiOperations, ok, parse } from './sandbox.operations.ts';
import type { WebhookSender } from './sandbox.webhooks.ts';

/**
 * What happens to the next request of an operation (`*`: of any): a 5xx, silence or a limit before it has an effect, or
 * an effect whose answer is lost, too late or senseless.
 */
export interface ApiFault {
  readonly on: ApiOperation | '*';
  readonly kind: 'fail' | 'stall' | 'rate-limit' | 'lose-answer' | 'stall-after' | 'nonsense';
  /** Seconds, with a limit. */
  readonly retryAfter?: number;
}

export interface AdminOptions {
  readonly engine: Engine;
  readonly webhooks: WebhookSender;
  /** By secret and by publishable key. */
  readonly accounts: ReadonlyMap<string, SandboxAccount>;
  readonly faults: ApiFault[];
  readonly open: (options: { livemode?: boolean }) => SandboxAccount;
  readonly deliver: () => Promise<void>;
}

const faultSchema = z.strictObject({
  faults: z.array(
    z.strictObject({
      on: z.enum([...apiOperations, '*']),
      kind: z.enum(['fail', 'stall', 'rate-limit', 'lose-answer', 'stall-after', 'nonsense']),
      retryAfter: z.number().optional(),
    }),
  ),
});

/** What whoever runs the sandbox may do over HTTP: accounts, endpoints, faults, disputes, and time. */
export const administer = async (options: AdminOptions, path: string, body: unknown): Promise<Answer> => {
  const { engine, webhooks, faults, accounts } = options;
  const accountOf = (id: string): SandboxAccount => {
    const account = [...accounts.values()].find((one) => one.id === id);
    if (account === undefined) throw new AcmeError(404, 'not_found', 'no_such_account');
    return account;
  };
  switch (path) {
    case '/sandbox/accounts':
      return ok(options.open(parse(z.strictObject({ livemode: z.boolean().default(false) }), body)), 201);
    case '/sandbox/endpoints':
      webhooks.connect(parse(z.strictObject({ url: z.url(), secret: z.string().min(8) }), body));
      return ok({}, 201);
    case '/sandbox/faults':
      for (const { retryAfter, ...fault } of parse(faultSchema, body).faults) {
        faults.push({ ...fault, ...(retryAfter === undefined ? {} : { retryAfter }) });
      }
      return ok({}, 201);
    case '/sandbox/webhook-faults': {
      const schema = z.strictObject({ faults: z.array(z.enum(['drop', 'duplicate', 'reorder'])) });
      webhooks.fail(...parse(schema, body).faults);
      return ok({}, 201);
    }
    case '/sandbox/disputes': {
      const schema = z.strictObject({ account: z.string(), payment: z.string(), amount: z.int().min(1) });
      const { account, payment, amount } = parse(schema, body);
      return ok(engine.dispute(accountOf(account), payment, amount), 201);
    }
    case '/sandbox/disputes/close': {
      const schema = z.strictObject({
        account: z.string(),
        payment: z.string(),
        dispute: z.string(),
        status: z.enum(['won', 'lost']),
      });
      const { account, payment, dispute, status } = parse(schema, body);
      return ok(engine.closeDispute(accountOf(account), payment, dispute, status));
    }
    case '/sandbox/deliver':
      await options.deliver();
      return ok({ waiting: webhooks.waiting() });
    default:
      throw new AcmeError(404, 'not_found', 'no_such_path');
  }
};
