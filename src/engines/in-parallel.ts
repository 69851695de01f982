// Tasks some at a time, all of them ended when the caller hears of it.

/** Some at a time. When one fails the others are stopped; rejects when all are gone. */
export async function inParallel(
  count: number,
  parallel: number,
  signal: AbortSignal,
  work: (index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      either.throwIfAborted();
      await work(next++, either);
    }
  };
  const lanes = Array.from({ length: parallel }, lane);
  try {
    await Promise.all(lanes);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(lanes);
    throw error;
  }
}
