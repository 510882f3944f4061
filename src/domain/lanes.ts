/** Statements at once for one file. A Worker may hold six connections; two stay free for storage and the queue. */
export const LANES = 4;

/**
 * Works through `items` with `LANES` at once. Items are drawn one after the other, also from an async generator. After the
 * first failure no further item is drawn, what has begun is waited for, and the first failure is thrown.
 */
export async function inLanes<T>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<void>,
  lanes = LANES,
): Promise<void> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const failures: unknown[] = [];
  const lane = async () => {
    while (failures.length === 0) {
      try {
        const next = await source.next();
        if (next.done || failures.length > 0) return;
        await work(next.value);
      } catch (thrown) {
        failures.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failures.length > 0) {
    await source.return?.();
    throw failures[0];
  }
}
