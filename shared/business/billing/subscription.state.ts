import * as z from 'zod';
import { OmniError } from '../../kernel/errors.ts';

export const subscriptionStatusSchema = z
  .enum(['trialing', 'active', 'past-due', 'paused', 'canceled'])
  .meta({ description: '`past-due`: an invoice of it is not paid. `canceled` is final.' });
export type SubscriptionStatus = z.infer<typeof subscriptionStatusSchema>;

/** Every way that a subscription can go. */
export const transitions: Readonly<Record<SubscriptionStatus, readonly SubscriptionStatus[]>> = {
  trialing: ['active', 'paused', 'canceled'],
  active: ['past-due', 'paused', 'canceled'],
  'past-due': ['active', 'paused', 'canceled'],
  paused: ['active', 'canceled'],
  canceled: [],
};

/** The new status. Fails with `precondition-failed` where there is no way from one to the other. */
export const moved = (from: SubscriptionStatus, to: SubscriptionStatus): SubscriptionStatus => {
  if (transitions[from].includes(to)) return to;
  throw new OmniError('precondition-failed', `A subscription that is ${from} can't become ${to}.`);
};

/** Those that may be used: what is past due is still given, until dunning ends it. */
export const isEntitling = (status: SubscriptionStatus): boolean =>
  status === 'trialing' || status === 'active' || status === 'past-due';
