import type { Stored, Transaction } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { Ground } from './biller.ground.ts';
import { isOurs, putOff, waiting } from './biller.put-off.ts';
import { type Decisions, decideAll } from './biller.tax.ts';
import type { Customer } from './customer.schema.ts';
import type { Invoice } from './invoice.schema.ts';
import { advance, type Step } from './subscription.advance.ts';
import type { Subscription } from './subscription.schema.ts';
import type { TaxService } from './tax.service.ts';

/** A subscription with what was decided of it. `before` is undefined for one that is new. */
export interface Planned {
  readonly id: string;
  readonly before: Stored<Subscription> | undefined;
  readonly step: Step;
}

/** With the taxes of what is charged; undefined where nothing is. */
export interface Taxed extends Planned {
  readonly decisions: Decisions | undefined;
}

/** What is to be written. Made outside of the transaction; it holds only if nothing was changed meanwhile. */
export interface Plan {
  readonly invoices: ReadonlyMap<string, Invoice>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  /** Why some could not be billed, by subscription. */
  readonly failed: ReadonlyMap<string, unknown>;
  /** The service that is asked for some taxes answers nobody: those were put off, and will be tried again soon. */
  readonly isTaxDown: boolean;
  write(transaction: Transaction): void;
}

/** Whether it makes an invoice. */
export const isCharged = ({ lines }: Step): boolean => lines.some(({ amount }) => amount !== 0);

export const customerOf = (on: Ground, { customer: id }: Subscription): Stored<Customer> => {
  const customer = on.customers.get(id);
  if (customer === undefined) throw new Error('A subscription has no customer.');
  return customer;
};

export interface AdvancerOptions {
  readonly tax: TaxService;
  readonly logger: Logger;
  /** Puts their invoices together. What is thrown of one is given to `failed`. */
  readonly assembled: (
    on: Ground,
    steps: readonly Taxed[],
    failed: (one: Planned, error: unknown) => Subscription,
  ) => Pick<Plan, 'invoices' | 'subscriptions' | 'write'>;
}

/** Does what is due with each of a page. Whatever is wrong with one, the others are billed. */
export const advancer =
  ({ tax, logger, assembled }: AdvancerOptions) =>
  async (on: Ground, all: readonly Stored<Subscription>[], wasDown: boolean): Promise<Plan> => {
    const { tenant, context } = on;
    const failed = new Map<string, unknown>();
    const postponed = (before: Stored<Subscription>, error: unknown): Step => {
      failed.set(before.id, error);
      if (isOurs(error)) logger.error('A subscription could not be billed.', { tenant, id: before.id, error });
      return { next: putOff(before, error, context.now), lines: [] };
    };
    const tried = all.map((before) => {
      try {
        return { before, step: due(before.value, on) };
      } catch (error) {
        return { before, step: postponed(before, error) };
      }
    });
    const questions = tried.flatMap(({ before: { id }, step }) =>
      isCharged(step) ? [{ id, customer: customerOf(on, step.next), lines: step.lines }] : [],
    );
    const { decided, isDown } = await decideAll(tax, context, questions, wasDown);
    const steps = tried.map(({ before, step }): Taxed => {
      const answer = decided.get(before.id) ?? { decisions: undefined };
      const common = { id: before.id, before, step, decisions: undefined };
      if ('decisions' in answer) return { ...common, decisions: answer.decisions };
      if ('error' in answer) return { ...common, step: postponed(before, answer.error) };
      return { ...common, step: { next: waiting(before, silence, context.now), lines: [] } };
    });
    const made = assembled(on, steps, ({ before, step }, error) =>
      before === undefined ? step.next : postponed(before, error).next,
    );
    return { ...made, failed, isTaxDown: isDown };
  };

const silence = 'The sales tax service does not answer. It is asked again soon.';

/** What is due with one. Fails where nobody could be billed for it. */
const due = (subscription: Subscription, on: Ground): Step => {
  const { next, lines } = advance(subscription, on);
  // Whose name and address are erased gets no invoice any more.
  const isErased = on.customers.get(subscription.customer)?.value.erasedAt != null;
  const step = { next: { ...next, problem: null, failures: 0 }, lines: isErased ? [] : lines };
  if (isCharged(step)) customerOf(on, next);
  return step;
};
