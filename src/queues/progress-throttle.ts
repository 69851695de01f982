// Progress as often as a handler likes, written a few times a second.

import type { ProgressUpdate } from '../jobs/job.ts';

/** Milliseconds between two writes: people see a bar move, the disk hardly notices. */
const INTERVAL = 250;

/** Writes the first update at once, then what came since, at most every 250 ms and one at a time; the last is never dropped. */
export class ProgressThrottle {
  readonly #write: (update: ProgressUpdate) => Promise<void>;
  #pending: ProgressUpdate | undefined;
  #running = false;
  #stopped = false;
  #endPause: (() => void) | undefined;

  /** `write` must not reject. */
  constructor(write: (update: ProgressUpdate) => Promise<void>) {
    this.#write = write;
  }

  push(update: ProgressUpdate): void {
    if (this.#stopped) return;
    this.#pending = merge(this.#pending, update);
    if (!this.#running) void this.#run();
  }

  /** Begins no further write. Returns what was not written. */
  stop(): ProgressUpdate | undefined {
    const unwritten = this.#take();
    this.#stopped = true;
    this.#endPause?.();
    return unwritten;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let update = this.#take(); update !== undefined; update = this.#take()) {
      await this.#write(update);
      if (!this.#stopped) await this.#pause();
    }
    this.#running = false;
  }

  #take(): ProgressUpdate | undefined {
    const update = this.#pending;
    this.#pending = undefined;
    return update;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, INTERVAL);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The newer word counts; NaN and infinity, which JSON would turn into null, say nothing. */
function merge(earlier: ProgressUpdate | undefined, later: ProgressUpdate): ProgressUpdate {
  const { progress, speed, etaSeconds, source, live, ready } = later;
  return {
    ...earlier,
    ...(progress !== undefined && Number.isFinite(progress) && { progress }),
    ...(speed !== undefined && { speed: finite(speed) }),
    ...(etaSeconds !== undefined && { etaSeconds: finite(etaSeconds) }),
    ...(source !== undefined && { source: { ...earlier?.source, ...source } }),
    ...(live !== undefined && { live: { ...earlier?.live, ...live } }),
    ...(ready !== undefined && { ready: { ...earlier?.ready, ...ready } }),
  };
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
