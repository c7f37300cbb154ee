/** Does for all keys what is to be done for each, and answers in their order. */
type ForAll<K, R> = (keys: readonly K[]) => Promise<readonly R[]>;

interface Round<K, R> {
  readonly keys: K[];
  readonly answers: Promise<readonly R[]>;
}

/**
 * Calls of one turn of the event loop become one: what was asked for side by side, or by requests whose answers came
 * together, shares a round trip and what a round trip costs the processor. Nobody waits for it: a round leaves when
 * nothing else is left to run in its turn. Where it fails, all who take part in it fail. A round has `maxSize` keys,
 * and more only where one call has.
 */
export const gathered = <K, R>(run: ForAll<K, R>, maxSize: number): ForAll<K, R> => {
  let open: Round<K, R> | undefined;

  const begin = (): Round<K, R> => {
    const keys: K[] = [];
    const answers = new Promise<void>((resolve) => {
      // From a microtask, the next tick comes after all others.
      queueMicrotask(() => process.nextTick(resolve));
    }).then(() => {
      if (open === round) open = undefined;
      return run(keys);
    });
    const round: Round<K, R> = { keys, answers };
    return round;
  };

  return async (keys) => {
    if (open !== undefined && open.keys.length + keys.length > maxSize) open = undefined;
    open ??= begin();
    const { keys: all, answers } = open;
    const from = all.push(...keys) - keys.length;
    return (await answers).slice(from, from + keys.length);
  };
};
