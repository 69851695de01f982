// Asks processes for something and waits a moment. One that does not answer holds nobody up.

export interface Asking<T> {
  /** The answers that came in time, by process. */
  ask(processes: readonly number[]): Promise<ReadonlyMap<number, T>>;
  /** An answer, or undefined where the process has none. One that comes late is that to whoever asks at the time. */
  answered(process: number, answer: T | undefined): void;
  /** It will not answer any more. */
  gone(process: number): void;
}

interface Waiting<T> {
  readonly open: Set<number>;
  readonly answers: Map<number, T>;
  readonly done: () => void;
}

/** `send` asks one process; it is not asked again before it has answered, so nothing piles up in front of one that is stuck. */
export function createAsking<T>(options: {
  readonly send: (process: number) => void;
  /** Milliseconds. */
  readonly waitMs: number;
}): Asking<T> {
  const asked = new Set<number>();
  const waiting = new Set<Waiting<T>>();

  const settle = (process: number, answer: T | undefined): void => {
    asked.delete(process);
    for (const one of waiting) {
      if (!one.open.delete(process)) continue;
      if (answer !== undefined) one.answers.set(process, answer);
      if (one.open.size === 0) one.done();
    }
  };

  return {
    async ask(processes) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one: Waiting<T> = { open: new Set(processes), answers: new Map(), done: resolve };
      if (processes.length === 0) return one.answers;
      waiting.add(one);
      const timer = setTimeout(resolve, options.waitMs);
      for (const process of processes) {
        if (asked.has(process)) continue;
        asked.add(process);
        options.send(process);
      }
      await promise;
      clearTimeout(timer);
      waiting.delete(one);
      return one.answers;
    },
    answered: settle,
    gone: (process) => settle(process, undefined),
  };
}
