import type { Actor } from '../../kernel/actor.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { Ledger } from './ledger.service.ts';

/** What an account has by now, minor units; 0 where nothing was ever posted to it, so that there is no such account. */
export const bookedOn = async (ledger: Pick<Ledger, 'balance'>, actor: Actor, account: string): Promise<number> => {
  try {
    return await ledger.balance(actor, account);
  } catch (error) {
    if (isOmniError(error, 'not-found')) return 0;
    throw error;
  }
};
