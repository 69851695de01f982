// What the CLI shows: words or one JSON document on standard output, progress on standard error.

import type { Writable } from 'node:stream';
import { progressLine } from './progress-line.ts';
import type { Progress } from './progress-line.ts';

export interface Terminal {
  /** A line of the answer. Nothing with `--json`. */
  say(line: string): void;
  /** A line beside the answer, on standard error. Nothing with `--quiet`. */
  note(line: string): void;
  /** Draws over the one before. Only where a person looks on. */
  progress(progress: Progress): void;
  /** Takes the progress away. */
  clear(): void;
  /** Where bytes go with `-o -`. */
  readonly stdout: Writable;
}

/** A bar is drawn at most so often, in milliseconds. */
const REDRAW_MS = 100;

export interface TerminalOptions {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };
  readonly json: boolean;
  readonly quiet: boolean;
}

export function terminal({ stdout, stderr, json, quiet }: TerminalOptions): Terminal {
  const isWatched = stderr.isTTY === true && !quiet;
  let isDrawn = false;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let label = '';
  const clear = (): void => {
    // To the line's beginning, and all of it empty (ECMA-48 EL).
    if (isDrawn) stderr.write('\r\u001B[2K');
    isDrawn = false;
  };
  return {
    stdout,
    clear,
    say(line) {
      clear();
      if (!json) stdout.write(`${line}\n`);
    },
    note(line) {
      clear();
      if (!quiet) stderr.write(`${line}\n`);
    },
    progress(progress) {
      const now = performance.now();
      if (!isWatched || (progress.label === label && now - drawnAt < REDRAW_MS)) return;
      label = progress.label;
      drawnAt = now;
      isDrawn = true;
      stderr.write(`\r\u001B[2K${progressLine(progress, stderr.columns || 80)}`);
    },
  };
}
