// FFmpeg's `-progress` lines, read into a fraction, a speed and an estimate.

export interface ProgressBlock {
  /** Seconds of the longest output so far, or null while nothing is written. */
  readonly outSeconds: number | null;
  /** Packets of the first picture so far, or null where there is none. */
  readonly frames: number | null;
  /** Media seconds per wall second. */
  readonly speed: number | null;
  readonly isLast: boolean;
}

const MAX_REST = 4096;

/** Reads `key=value` lines as they come; calls back at the end of each block. */
export class ProgressReader {
  #rest = '';
  #block = new Map<string, string>();
  readonly #onBlock: (block: ProgressBlock) => void;

  constructor(onBlock: (block: ProgressBlock) => void) {
    this.#onBlock = onBlock;
  }

  feed(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-MAX_REST);
    for (const line of lines) {
      const at = line.indexOf('=');
      if (at === -1) continue;
      const key = line.slice(0, at).trim();
      const value = line.slice(at + 1).trim();
      if (key === 'progress') {
        this.#onBlock(readBlock(this.#block, value === 'end'));
        this.#block = new Map();
      } else if (this.#block.size < 100) {
        this.#block.set(key, value);
      }
    }
  }
}

function readBlock(block: ReadonlyMap<string, string>, isLast: boolean): ProgressBlock {
  // `out_time_ms` is in microseconds too, whatever its name says. Before the first packet it is hugely negative, or N/A.
  const micros = Number(block.get('out_time_us') ?? Number.NaN);
  const frames = Number(block.get('frame') ?? Number.NaN);
  const speed = Number.parseFloat(block.get('speed') ?? '');
  return {
    outSeconds: Number.isFinite(micros) && micros >= 0 ? micros / 1e6 : null,
    frames: Number.isFinite(frames) ? frames : null,
    speed: Number.isFinite(speed) && speed > 0 ? speed : null,
    isLast,
  };
}

/** A run's share of the whole. */
export interface RunShare {
  readonly weight: number;
  /** Length of its longest output, or null if unknown. */
  readonly expectedSeconds: number | null;
}

export interface ProgressUpdate {
  /** 0–1, never backwards; below 1 until `finish`. */
  readonly progress: number;
  readonly speed: number | null;
  readonly etaSeconds: number | null;
}

/** Work that is left when FFmpeg says it is through: moving the index to the front, checking. */
const BEFORE_THE_END = 0.99;

/** Adds up the progress of several runs, some of them at the same time. */
export class ProgressSum {
  readonly #shares: readonly RunShare[];
  readonly #done: number[];
  readonly #now: () => number;
  readonly #startedAt: number;
  /** Of the weight: what was done before this attempt, which tells nothing of the time to come. */
  #found = 0;
  #progress = 0;

  constructor(shares: readonly RunShare[], now: () => number) {
    this.#shares = shares;
    this.#done = shares.map(() => 0);
    this.#now = now;
    this.#startedAt = now();
  }

  /** A block of run number `run`. */
  update(run: number, { outSeconds, speed }: ProgressBlock): ProgressUpdate {
    const expected = this.#shares[run]?.expectedSeconds ?? null;
    const fraction = outSeconds === null || expected === null || expected <= 0 ? 0 : outSeconds / expected;
    return this.reach(run, fraction, speed);
  }

  /** Run number `run` has come so far, 0–1. `isFound`: what is new of that was there before. */
  reach(run: number, fraction: number, speed: number | null, isFound = false): ProgressUpdate {
    const before = this.#done[run] ?? 0;
    const done = Math.max(before, Math.min(fraction, 1));
    this.#done[run] = done;
    if (isFound) this.#found += (done - before) * (this.#shares[run]?.weight ?? 0);
    return this.#sum(speed);
  }

  /** Run number `run` has ended. */
  finish(run: number): ProgressUpdate {
    this.#done[run] = 1;
    return this.#sum(null);
  }

  #sum(speed: number | null): ProgressUpdate {
    const total = this.#shares.reduce((sum, { weight }) => sum + weight, 0);
    const done = this.#shares.reduce((sum, { weight }, run) => sum + weight * (this.#done[run] ?? 0), 0);
    const fraction = total === 0 ? 0 : done / total;
    this.#progress = Math.max(this.#progress, fraction * BEFORE_THE_END);
    const elapsed = (this.#now() - this.#startedAt) / 1000;
    // The first instants say nothing of the rest.
    const own = total === 0 ? 0 : (done - this.#found) / total;
    const isTelling = own > 0.01 && elapsed > 0.5;
    return {
      progress: this.#progress,
      speed,
      etaSeconds: isTelling ? Math.round(((elapsed * (1 - fraction)) / own) * 10) / 10 : null,
    };
  }
}
