import * as z from 'zod';
import { isOmniError } from '../kernel/errors.ts';
import type { Store, Stored, Transaction } from './store.ts';

export const gateSchema = z.object({ passed: z.int().min(0) });
export type Gate = z.infer<typeof gateSchema>;

const find = async (gates: Store<Gate>, id: string): Promise<Stored<Gate>> => {
  const there = await gates.get(id);
  if (there !== undefined) return there;
  try {
    return await gates.create(id, { passed: 0 });
  } catch (error) {
    const other = isOmniError(error, 'already-exists') ? await gates.get(id) : undefined;
    if (other === undefined) throw error;
    return other;
  }
};

/**
 * Guards a rule over many documents, such as "at least one owner" or "at most ten keys". Open the gate first, then count
 * what there is, then commit with what this returns: of two who counted the same, the second one's commit fails with
 * `revision-conflict`, and its next count is right. Nothing is kept that could differ from what there really is.
 */
export const openGate = async (gates: Store<Gate>, id: string): Promise<(transaction: Transaction) => void> => {
  const { value, revision } = await find(gates, id);
  return (transaction) => transaction.update(gates, id, { passed: value.passed + 1 }, { revision });
};
