// The command line: a few options of our own, and any parameter that the server takes.

import { parseArgs } from 'node:util';
import { UsageError } from './command.ts';

export interface Arguments {
  /** The command and what stands behind it, without options. */
  readonly words: readonly string[];
  /** `--name value`, for the server to judge. */
  readonly params: ReadonlyMap<string, string>;
  readonly output: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly server: string | undefined;
  readonly key: string | undefined;
  /** Of jobs: print the job at once instead of waiting for it. */
  readonly detach: boolean;
  /** An id of an upload to go on with. */
  readonly resume: string | undefined;
}

const OWN = {
  output: { type: 'string', short: 'o' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  server: { type: 'string' },
  key: { type: 'string' },
  detach: { type: 'boolean' },
  resume: { type: 'string' },
} as const;

/**
 * Throws UsageError. A parameter's value follows it or stands behind `=`; one at the end, or before another option,
 * means `true`.
 */
export function readArguments(args: readonly string[]): Arguments {
  const params = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '--') {
      rest.push(...args.slice(index));
      break;
    }
    const [, name = '', inline] = /^--([A-Za-z][A-Za-z0-9-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === '') {
      // Its value may be a dash, which the parser would take for another option.
      rest.push(word === '-o' ? `--output=${args[++index] ?? missing('-o')}` : word);
    } else if (Object.hasOwn(OWN, name)) {
      const takesValue = OWN[name as keyof typeof OWN].type === 'string' && inline === undefined;
      rest.push(takesValue ? `${word}=${args[++index] ?? missing(word)}` : word);
    } else {
      const next = args[index + 1];
      const follows = inline === undefined && next !== undefined && !/^-(?![\d.])/.test(next);
      if (params.has(name)) throw new UsageError(`--${name} is given twice.`);
      params.set(name, inline ?? (follows ? next : 'true'));
      if (follows) index++;
    }
  }
  try {
    const { values, positionals } = parseArgs({ args: rest, options: OWN, allowPositionals: true });
    const { output, json = false, quiet = false, help = false, version = false } = values;
    const { server, key, detach = false, resume } = values;
    return { words: positionals, params, output, json, quiet, help, version, server, key, detach, resume };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function missing(option: string): never {
  throw new UsageError(`${option} needs a value.`);
}

/** A list also where it has one thing in it. */
const LISTS: ReadonlySet<string> = new Set(['heights', 'widths', 'formats']);

/** The parameters as a recipe has them: what looks like a number, a truth value, a list or an object is one. */
export function asRecipeFields(params: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    [...params].map(([name, text]) => [
      name,
      LISTS.has(name) && !text.includes('[') ? text.split(',').map(asRecipeValue) : asRecipeValue(text),
    ]),
  );
}

function asRecipeValue(text: string): unknown {
  if (/^[\d.]+%?(?:,[\d.]+%?)+$/.test(text)) return text.split(',').map(asRecipeValue);
  if (!/^(?:-?\d+(?:\.\d+)?|true|false|[[{].*)$/s.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
