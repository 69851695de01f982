// What a scenario is, what it is given, and what it finds out.

import type { Progress } from './progress.ts';
import type { Chart } from './report/chart.ts';
import { spread } from './statistics.ts';
import type { Spread } from './statistics.ts';

/** How long it takes; each can be set on the command line. */
export interface Pace {
  readonly rounds: number;
  /** Length of one timed phase in seconds, where time bounds it. */
  readonly seconds: number;
}

export interface Context {
  /** A folder for whatever the scenario needs, removed after the whole run. Made media are kept in it for the next one. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Settings of the servers that differ from the defaults. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Scenario<Settings extends Pace = Pace> {
  readonly name: string;
  /** What it is about, for the report. */
  readonly title: string;
  /** As figures are to be measured. */
  readonly full: Settings;
  /** As small as can be: proves that the scenario works, its figures mean nothing. */
  readonly quick: Settings;
  /** Rejects with CheckFailed where an answer was wrong. */
  run(settings: Settings, context: Context): Promise<Findings>;
}

export interface Findings {
  readonly figures: readonly Figure[];
  readonly charts: readonly Chart[];
  /** What a reader should know of how it was measured. */
  readonly notes: readonly string[];
  /** What `--write-readme` writes beside the README's table. */
  readonly documents?: readonly Document[];
}

export interface Document {
  /** Below the repository. */
  readonly path: string;
  /** Of the part between markers that it replaces; without it the whole file is. */
  readonly name?: string;
  readonly text: string;
}

export interface Target {
  readonly op: '≤' | '≥';
  readonly value: number;
}

export interface Figure extends Spread {
  readonly name: string;
  /** Empty for ratios. */
  readonly unit: string;
  /** Null for what is only worth knowing. */
  readonly target: Target | null;
  readonly rounds: readonly number[];
  /** What was measured, and the floor that it is held against, in words with numbers. */
  readonly measured: string;
  readonly floor: string;
}

/** A figure of the values of all rounds. */
export function figure(
  name: string,
  rounds: readonly number[],
  about: { unit?: string; target?: Target; measured: string; floor: string },
): Figure {
  return { name, unit: '', target: null, ...about, rounds, ...spread(rounds) };
}

/** Whether the median meets the target; undefined where there is none. */
export function isMet({ target, median }: Pick<Figure, 'target' | 'median'>): boolean | undefined {
  if (target === null) return undefined;
  return target.op === '≤' ? median <= target.value : median >= target.value;
}

/**
 * Runs each contender once a round, one after the other (floor, server, floor, server …), so that whatever the
 * machine does meanwhile meets all of them. Returns what each gave, round by round.
 */
export async function interleave<T extends Record<string, () => Promise<unknown>>>(
  rounds: number,
  { signal, progress }: Pick<Context, 'signal' | 'progress'>,
  contenders: T,
): Promise<{ [K in keyof T]: Awaited<ReturnType<T[K]>>[] }> {
  const names = Object.keys(contenders);
  const results = Object.fromEntries(names.map((name): [string, unknown[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [i, name] of names.entries()) {
      signal.throwIfAborted();
      progress.step(
        `round ${round + 1} of ${rounds}: ${name}`,
        round * names.length + i,
        rounds * names.length,
      );
      results[name]?.push(await contenders[name]?.());
    }
  }
  return results as { [K in keyof T]: Awaited<ReturnType<T[K]>>[] };
}
