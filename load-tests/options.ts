// The command line: `npm run load -- NAME [options]`.

import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { settings } from '../src/config.ts';
import { NAMES } from './catalog.ts';
import type { Pace } from './scenario.ts';
import { ROOT } from './server-process.ts';

export interface LoadOptions {
  readonly name: string;
  readonly quick: boolean;
  /** What the scenarios' own settings are replaced with. */
  readonly overrides: Partial<Pace> & { readonly jobs?: number };
  /** Settings of the servers. */
  readonly env: Readonly<Record<string, string>>;
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
         video is transcode, ladder and remux; mixed is isolation; all is everything but start, which downloads
         packages, and fleet-model, which starts a redis-server
Options  --rounds N        rounds of each scenario; a figure is the median of its rounds
         --seconds N       length of one timed phase
         --jobs N          jobs stored for status (1,000,000)
         --set NAME=VALUE  a setting of the server, such as PROCESSES=1; may be given again
         --quick           as little as can be: shows that it works, the figures mean nothing
         --out DIR         where the reports go (load-tests/reports)
         --write-readme    with all: put the figures into load-tests/README.md; with fleet-model: into docs/scaling.md`;

/** Undefined if help was asked for. Throws UsageError. */
export function parseOptions(args: readonly string[]): LoadOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  const [name = '', ...more] = positionals;
  if (!Object.hasOwn(NAMES, name) || more.length > 0) {
    const came = positionals.length === 0 ? 'nothing' : positionals.join(' ');
    throw new UsageError(`Name one of ${Object.keys(NAMES).join(', ')}; there was ${came}.`);
  }
  const { rounds, seconds, jobs, quick, out, set = [], 'write-readme': writeReadme } = values;
  if (writeReadme && ((name !== 'all' && name !== 'fleet-model') || quick || set.length > 0)) {
    throw new UsageError(
      '--write-readme wants every figure, measured as the server is: use it with all or fleet-model, without --quick and --set.',
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
    env: Object.fromEntries(set.map(setting)),
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
        set: { type: 'string', multiple: true },
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

function setting(text: string): [string, string] {
  const [name = '', ...value] = text.split('=');
  if (!Object.hasOwn(settings, name) || value.length === 0) {
    throw new UsageError(
      `--set takes NAME=VALUE with a setting of the server (docs/settings.md); there was ${text}.`,
    );
  }
  return [name, value.join('=')];
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
