import { move } from './payments.ts';
import { type AccountState, base, find, type Payout } from './state.ts';

/** In euros, what Stripe owes the account. */
export const balanceOf = ({ transactions }: AccountState): number =>
  [...transactions.values()].filter(({ currency }) => currency === 'eur').reduce((sum, { net }) => sum + net, 0);

/** An instant one costs 1%, at least 0.50. */
const feeOf = (amount: number, method: Payout['method']): number =>
  method === 'instant' ? Math.max(50, Math.round(amount * 0.01)) : 0;

/** Leaves the balance at once, and is at the bank some days later. Stripe takes what it is owed: then it is negative. */
export const makePayout = (state: AccountState, amount: number, method: Payout['method'] = 'standard'): Payout => {
  const made = { ...base(state, 'po', 'payout'), currency: 'eur' };
  const movement = move(state, made, { amount: -amount, fee: feeOf(amount, method), type: 'payout' });
  const payout: Payout = {
    ...made,
    amount,
    arrival_date: state.now() + 2 * 86_400,
    method,
    status: 'pending',
    failure_code: null,
    balance_transaction: movement.id,
    failure_balance_transaction: null,
  };
  state.payouts.set(payout.id, payout);
  state.emit('payout.created', payout);
  return payout;
};

export const arrive = (state: AccountState, id: string): void => {
  const paid = { ...find(state.payouts, id), status: 'paid' };
  state.payouts.set(id, paid);
  state.emit('payout.paid', paid);
};

/** The bank sends it back, some days after it was called paid at the latest. */
export const failPayout = (state: AccountState, id: string): void => {
  const payout = find(state.payouts, id);
  const back = move(state, payout, { amount: payout.amount, fee: 0, type: 'payout_failure' });
  const returned = { status: 'failed', failure_code: 'account_closed', failure_balance_transaction: back.id };
  const failed = { ...payout, ...returned };
  state.payouts.set(id, failed);
  state.emit('payout.failed', failed);
};
