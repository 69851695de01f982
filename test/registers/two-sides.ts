// Two connections to one empty place, with one clock that the test moves.

/** `open` is called once for each side; `cleared` when both are closed. */
export async function twoSides<T extends { close(): Promise<void> }>(
  open: (now: () => number) => Promise<T>,
  cleared: () => Promise<void> = async () => undefined,
) {
  let time = Date.now();
  const now = (): number => time;
  const [left, right] = await Promise.all([open(now), open(now)]);
  return {
    left,
    right,
    now,
    pass(milliseconds: number): void {
      time += milliseconds;
    },
    async close(): Promise<void> {
      await left.close();
      await right.close();
      await cleared();
    },
  };
}
