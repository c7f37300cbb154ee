import { isOmniError } from '../../kernel/errors.ts';
import type { Stored } from '../../store/store.ts';
import type { Customer } from './customer.schema.ts';
import type { DraftLine } from './invoice.schema.ts';
import type { BillingContext } from './settings.service.ts';
import type { TaxDecision } from './tax.schema.ts';
import type { TaxService } from './tax.service.ts';
import type { TaxCategory } from './vat.ts';

export type Decisions = ReadonlyMap<TaxCategory, TaxDecision>;

/** What was decided of one invoice, or why nothing was: an error of its own, or that nobody was asked. */
export type Decided = { readonly decisions: Decisions } | { readonly error: unknown } | { readonly notAsked: true };

export interface TaxQuestion {
  /** Of what it is asked for. */
  readonly id: string;
  readonly customer: Stored<Customer>;
  readonly lines: readonly DraftLine[];
}

export interface DecidedAll {
  readonly decided: ReadonlyMap<string, Decided>;
  /** The service that is asked for some taxes answers nobody. */
  readonly isDown: boolean;
}

/** Asked for at once: a page of 80 takes eight of its time-outs at most, which a job can wait for. */
const width = 10;
/** So many that get no answer at once, and nobody who does: the service is down, and not their addresses wrong. */
const fewest = 3;

export const decideTax = (tax: TaxService, context: BillingContext, { customer, lines }: Omit<TaxQuestion, 'id'>) =>
  tax.decide(
    context,
    customer,
    lines.map(({ taxCategory }) => taxCategory),
  );

/**
 * Decides the taxes of many invoices. Nothing is guessed: where a service has to be asked that is down, nobody else
 * waits for its time-outs, and what would have asked it says so.
 */
export const decideAll = async (
  tax: TaxService,
  context: BillingContext,
  questions: readonly TaxQuestion[],
  wasDown: boolean,
): Promise<DecidedAll> => {
  const decided = new Map<string, Decided>();
  const one = async (question: TaxQuestion): Promise<Decided> => {
    try {
      return { decisions: await decideTax(tax, context, question) };
    } catch (error) {
      return { error };
    }
  };
  const asking: TaxQuestion[] = [];
  for (const question of questions) {
    if (tax.asks(context, question.customer)) asking.push(question);
    else decided.set(question.id, await one(question));
  }
  let isDown = wasDown;
  for (let i = 0; i < asking.length; i += width) {
    const round = asking.slice(i, i + width);
    if (isDown) {
      for (const { id } of round) decided.set(id, { notAsked: true });
      continue;
    }
    const answers = await Promise.all(round.map(one));
    round.forEach(({ id }, n) => {
      const answer = answers[n];
      if (answer !== undefined) decided.set(id, answer);
    });
    const silent = answers.filter((answer) => 'error' in answer && isOmniError(answer.error, 'unavailable'));
    isDown = silent.length >= fewest && !answers.some((answer) => 'decisions' in answer);
  }
  return { decided, isDown };
};
