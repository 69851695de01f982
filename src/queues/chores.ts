// What is done after a job's end and must not hold up anything: its failure is logged, closing waits for it a little.

import { rest } from '../lib/pause.ts';

/** A longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class Chores {
  readonly #running = new Set<Promise<void>>();
  readonly #failed: (error: unknown, name: string) => void;

  constructor(failed: (error: unknown, name: string) => void) {
    this.#failed = failed;
  }

  /** Begins at once. */
  add(name: string, chore: () => Promise<void>): void {
    const run = (async () => {
      try {
        await chore();
      } catch (error) {
        this.#failed(error, name);
      }
    })();
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }

  /** Resolves when all are done, at the latest after so many milliseconds. */
  done(milliseconds: number): Promise<void> {
    return within(Promise.all(this.#running), milliseconds);
  }
}

/** Resolves when the work is done, at the latest after so many milliseconds. */
export async function within(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([
    work.finally(() => over.abort()),
    rest(Math.min(milliseconds, LONGEST_TIMER), over.signal),
  ]);
}
