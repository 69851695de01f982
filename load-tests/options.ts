// The command line: `npm run load -- NAME [options]`.

import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { NAMES } from './catalog.ts';
import type { Pace } from './scenario.ts';
import { ROOT } from './server-process.ts';

export interface LoadOptions {
  readonly name: string;
  readonly quick: boolean;
  /** What the scenarios' own settings are replaced with. */
  readonly overrides: Partial<Pace> & { readonly jobs?: number };
  /** Folder of the reports. */
  readonly out: string;
  readonly writeReadme: boolean;
}

/** A mistake in the command line, told with what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `npm run load -- NAME [options]

NAME     ${Object.keys(NAMES).join(' | ')}
         video is transcode, ladder and remux; mixed is isolation; all is everything but start, which downloads packages
Options  --rounds N      rounds of each scenario; a figure is the median of its rounds
         --seconds N     length of one timed phase
         --jobs N        jobs stored for status (1,000,000)
         --quick         as little as can be: shows that it works, the figures mean nothing
         --out DIR       where the reports go (load-tests/reports)
         --write-readme  with all: put the figures into load-tests/README.md`;

/** Undefined if help was asked for. Throws UsageError. */
export function parseOptions(args: readonly string[]): LoadOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const [name = '', ...more] = positionals;
  if (!Object.hasOwn(NAMES, name) || more.length > 0) {
    const came = positionals.length === 0 ? 'nothing' : positionals.join(' ');
    throw new UsageError(`Name one of ${Object.keys(NAMES).join(', ')}; there was ${came}.`);
  }
  const { rounds, seconds, jobs, quick, out, 'write-readme': writeReadme } = values;
  if (writeReadme && (name !== 'all' || quick)) {
    throw new UsageError(
      '--write-readme wants every figure, measured: use it with all, and without --quick.',
    );
  }
  return {
    name,
    quick,
    writeReadme,
    overrides: {
      ...(rounds !== undefined && { rounds: number('rounds', rounds, 1, 1000, true) }),
      ...(seconds !== undefined && { seconds: number('seconds', seconds, 0.1, 3600, false) }),
      ...(jobs !== undefined && { jobs: number('jobs', jobs, 1, 100_000_000, true) }),
    },
    out: out ?? join(ROOT, 'load-tests/reports'),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        jobs: { type: 'string' },
        quick: { type: 'boolean', default: false },
        out: { type: 'string' },
        'write-readme': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function number(name: string, text: string, least: number, most: number, whole: boolean): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new UsageError(
      `--${name} is a ${whole ? 'whole ' : ''}number from ${least} to ${most}; there was ${text}.`,
    );
  }
  return value;
}
