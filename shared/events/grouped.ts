/**
 * Group commit: while one batch runs, further items wait and then go together as the next one. One item alone is not
 * delayed by a timer, and a crowd of them costs a few calls. When a batch fails, all who waited on it fail.
 */
export const grouped = <T>(
  run: (items: readonly T[]) => Promise<void>,
  maxSize: number,
): ((item: T) => Promise<void>) => {
  let waiting: { item: T; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let running = false;

  const drain = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxSize);
      waiting = waiting.slice(maxSize);
      try {
        await run(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = false;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // In a microtask, so that the events of one transaction leave in one batch.
      if (!running) {
        running = true;
        queueMicrotask(() => void drain());
      }
    });
};
