// One run of the CLI: reads the command line, runs the command, and turns whatever happens into an exit code.

import type { Writable } from 'node:stream';
import { readFile } from 'node:fs/promises';
import { connect, MediamillError } from '../client/mediamill.ts';
import { readArguments } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { FailedJob, UsageError } from './command.ts';
import type { Command } from './command.ts';
import { closest, explain, noOption } from './explain.ts';
import { cancel, get, jobs, presets, remove, upload, watch } from './follow-commands.ts';
import { convert, info, resize, set } from './image-commands.ts';
import { job, outputCommands } from './job-commands.ts';
import { terminal } from './terminal.ts';
import type { TerminalOptions } from './terminal.ts';
import { usage, usageOf } from './usage.ts';

const commands: readonly Command[] = [
  ...[resize, convert, info, set],
  ...outputCommands,
  ...[job, jobs, watch, get, cancel, remove, upload, presets],
];

export interface CliIo {
  readonly stdout: Writable;
  readonly stderr: TerminalOptions['stderr'];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Milliseconds that telling the server of a cancel may take when the user has gone already. */
const CANCEL_MS = 5000;

/** Resolves with the exit code. */
export async function runCli(
  args: readonly string[],
  { stdout, stderr, env, signal }: CliIo,
): Promise<number> {
  // Known before the command line could be read, since that may go wrong.
  const wantsJson = args.includes('--json');
  const shown = terminal({
    stdout,
    stderr,
    json: wantsJson,
    quiet: args.some((word) => word === '--quiet' || word === '-q'),
  });
  let running: string | null = null;
  let client = connect();
  let address = '';
  let given: Arguments | undefined;
  let command: Command | undefined;
  try {
    given = readArguments(args);
    const [name] = given.words;
    if (given.version) {
      stdout.write(`${await ownVersion()}\n`);
      return 0;
    }
    command = commands.find((each) => each.name === name);
    if (given.help || name === undefined || name === 'help') {
      const [, second] = given.words;
      const about = command ?? commands.find((each) => each.name === second);
      stdout.write(about === undefined ? usage(commands) : usageOf(about));
      return name === undefined && !given.help ? 2 : 0;
    }
    if (command === undefined) throw noCommand(name);
    assertKnown(command, given);
    if (given.json && given.output === '-')
      throw new UsageError('--json and -o - both want standard output: leave one of them out.');
    address = addressOf(given.server ?? env['MEDIAMILL_URL'] ?? 'http://127.0.0.1:3000');
    client = connect({
      url: address,
      ...keyOf(given.key ?? env['MEDIAMILL_KEY']),
    });
    const answer = await command.run({
      client,
      given,
      terminal: shown,
      signal,
      began: (id) => void (running = id),
    });
    shown.clear();
    if (given.json) stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
    return 0;
  } catch (error) {
    shown.clear();
    if (signal.aborted) {
      if (running !== null) await leave(running);
      return 130;
    }
    return await tell(error);
  }

  async function leave(id: string): Promise<void> {
    await client.cancel(id, { signal: AbortSignal.timeout(CANCEL_MS) }).then(
      () => shown.note(`The job ${id} is cancelled.`),
      () => shown.note(`The job ${id} may still be running: mediamill cancel ${id}`),
    );
  }

  async function tell(error: unknown): Promise<number> {
    const known =
      error instanceof MediamillError || error instanceof FailedJob || error instanceof UsageError;
    if (!known) throw error;
    const lines =
      error instanceof MediamillError && given !== undefined
        ? await explain(error, { client, given, documentUrl: `${address.replace(/\/+$/, '')}/openapi.json` })
        : [error.message];
    for (const line of lines) stderr.write(`mediamill: ${line}\n`);
    if (error instanceof MediamillError) {
      const { code, status, detail, errors } = error;
      if (wantsJson) print({ error: { code, status, detail, errors } });
      if (code === 'unreachable')
        stderr.write('Is the server running? --server or MEDIAMILL_URL says where it is.\n');
      return code === 'unreachable' ? 4 : 3;
    }
    if (error instanceof FailedJob) {
      if (wantsJson) print(error.job);
      return 1;
    }
    if (wantsJson) print({ error: { code: 'usage', detail: error.message } });
    else stderr.write(`mediamill ${command === undefined ? '' : `${command.name} `}--help tells more.\n`);
    return 2;
  }

  function print(document: unknown): void {
    stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
}

function noCommand(name: string): UsageError {
  const names = commands.map((each) => each.name);
  const meant = closest(name, names);
  return new UsageError(
    `There is no command "${name}". ${meant === undefined ? `There is: ${names.join(', ')}.` : `Did you mean ${meant}?`}`,
  );
}

/** Throws UsageError for words and options that would be passed over. */
function assertKnown({ name, words: most, options }: Command, { words, params }: Arguments): void {
  const surplus = most === undefined ? [] : words.slice(1 + most);
  if (surplus.length > 0) throw new UsageError(`${name} does not take ${surplus.join(' ')}.`);
  const stranger = [...params.keys()].find((each) => options?.includes(each) === false);
  if (stranger !== undefined) throw new UsageError(noOption(stranger, options ?? [], name));
}

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function addressOf(text: string): string {
  const address = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
  if (address === null || !/^https?:$/.test(address.protocol))
    throw new UsageError(`${text} is not the address of a server, such as http://127.0.0.1:3000.`);
  return address.href;
}

/** A header cannot hold anything else. */
function keyOf(key: string | undefined): { key?: string } {
  if (key === undefined || key === '') return {};
  if (!/^[\x21-\x7e]+$/.test(key)) throw new UsageError('The key is not one: it looks like mm_…');
  return { key };
}
