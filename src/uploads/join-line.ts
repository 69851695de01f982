// A few uploads are put together at once, and the others wait: each reads and writes as fast as the disk can.

const AT_ONCE = 2;

/** Runs what it is given, in the order in which it came, and not too many at once. */
export function createJoinLine(atOnce = AT_ONCE): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
