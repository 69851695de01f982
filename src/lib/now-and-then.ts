// Work that is done again and again until it is closed, by several processes that spread out.

/**
 * Runs `work` after each pause, which is between half and the whole of so many milliseconds, and never twice at once. It
 * must not reject; it is told to end early by `isClosed`. Closing waits for what runs.
 */
export function nowAndThen(
  everyMs: number,
  work: (isClosed: () => boolean) => Promise<unknown>,
): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let closed = false;
  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(
      () => {
        running = work(() => closed).finally(schedule);
      },
      everyMs * (0.5 + Math.random() / 2),
    );
  };
  schedule();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
