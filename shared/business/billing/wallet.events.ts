import type { MakeEvent } from '../../events/define-event.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import { type CreditMoved, creditMoved } from './billing.events.ts';
import { expiredIn, type Wallet } from './wallet.ts';

/** The same movement is always the same event. */
export const creditEvent = (makeEvent: MakeEvent, tenant: string, data: CreditMoved): DomainEvent =>
  makeEvent(creditMoved, {
    id: derivedId('evt', tenant, data.credit, data.what),
    tenant,
    subject: data.customer,
    data,
  });

/** What is to be told of credit that is left out by a change because it has ended. */
export const expiryEvents = (
  makeEvent: MakeEvent,
  tenant: string,
  customer: string,
  before: Wallet,
  now: number,
): readonly DomainEvent[] =>
  expiredIn(before, now).map(({ id, remaining, currency }) =>
    creditEvent(makeEvent, tenant, { customer, credit: id, what: 'expired', amount: remaining, currency }),
  );
