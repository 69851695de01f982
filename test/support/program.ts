// Starts the real program, `node src/main.ts`, in the mode of the run (mode.ts), reads its log, and leaves nothing of it behind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { settings } from '../../src/config.ts';
import { modeSettings } from './mode.ts';
import { descendants, HAS_PROC, killNow } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Where there is one, a program in front of it that has it killed when this process dies, however it dies. */
const DIES_WITH_US = existsSync('/usr/bin/setpriv')
  ? (['/usr/bin/setpriv', '--pdeathsig', 'KILL'] as const)
  : [];

/** A line of the log: pino's fields and the line's own. */
export interface LogLine {
  /** 30 info, 40 warn, 50 error, 60 fatal. */
  readonly level: number;
  readonly pid: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program extends AsyncDisposable {
  /** E.g. `http://127.0.0.1:41231`. */
  readonly address: string;
  /** Of the primary. */
  readonly pid: number;
  readonly dataDir: string;
  /** Every line so far. */
  readonly log: readonly LogLine[];
  /** The first line that fits, of those from `since` on (an earlier `log.length`) or still to come. Rejects at the time-out, and when the program ends first. */
  waitFor(
    fits: (line: LogLine) => boolean,
    options?: { readonly since?: number; readonly timeoutMs?: number },
  ): Promise<LogLine>;
  /** Sends a signal to the primary. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the primary has ended. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, and how it ended. */
  stop(): Promise<Exit>;
}

/**
 * Runs the program and waits until it serves. Unless `env` says otherwise: a free port, two processes with an image thread each, a new data
 * folder that is removed when the program is disposed of. Settings of the surrounding shell do not count.
 */
export async function startProgram(
  env: Readonly<Record<string, string>> = {},
  { servingMs = 30_000 }: { readonly servingMs?: number } = {},
): Promise<Program> {
  const ownFolder = env['DATA_DIR'] === undefined;
  const dataDir = env['DATA_DIR'] ?? (await realpath(await mkdtemp(join(tmpdir(), 'mediamill-test-'))));
  const [command, ...rest] = [...DIES_WITH_US, process.execPath, 'src/main.ts'] as const;
  const child = spawn(command, rest, {
    cwd: ROOT,
    env: {
      ...surroundings(),
      PORT: '0',
      PROCESSES: '2',
      IMAGE_THREADS: '1',
      SHUTDOWN_SECONDS: '5',
      LOG_FORMAT: 'json',
      ...modeSettings(dataDir),
      ...env,
      DATA_DIR: dataDir,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }));
  // The last lines may come after the exit is known.
  const closed = once(child, 'close');
  if (pid === undefined) throw new Error('node cannot be started');

  // A test that timed out never disposes of it; the forks leave when their primary is gone.
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  void exited.then(() => process.off('exit', killAtExit));

  const log: LogLine[] = [];
  const other: string[] = [];
  const listeners = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = parseLine(text);
    if (line === undefined) other.push(text);
    else log.push(line);
    for (const listener of listeners) listener();
  });
  createInterface({ input: child.stderr }).on('line', (text) => other.push(text));

  const program: Omit<Program, 'address'> = {
    pid,
    dataDir,
    log,
    exited,
    waitFor(fits, { since = 0, timeoutMs = 20_000 } = {}) {
      const { promise, resolve: found, reject } = Promise.withResolvers<LogLine>();
      let next = since;
      const look = (): void => {
        for (; next < log.length; next++) if (fits(log[next]!)) return found(log[next]!);
      };
      const timer = setTimeout(
        () => reject(new Error(`no such line in the log within ${timeoutMs / 1000} s\n${tail(log, other)}`)),
        timeoutMs,
      );
      void closed.then(() =>
        reject(new Error(`the program ended (${child.exitCode}) before such a line\n${tail(log, other)}`)),
      );
      listeners.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(timer);
        listeners.delete(look);
      });
    },
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async [Symbol.asyncDispose]() {
      const family = HAS_PROC ? descendants(pid) : [];
      child.kill('SIGKILL');
      for (const member of family) killNow(member.pid);
      if (child.exitCode === null && child.signalCode === null) await exited;
      if (ownFolder) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    const serving = await program.waitFor(({ msg }) => msg === 'serving', { timeoutMs: servingMs });
    return Object.assign(program, { address: String(serving['address']) });
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

/** The environment without the settings that a developer may have in it, but with their FFmpeg. */
function surroundings(): NodeJS.ProcessEnv {
  const kept = new Set(['FFMPEG_PATH', 'FFPROBE_PATH']);
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => kept.has(name) || !(name in settings || /^(?:VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(name)),
    ),
  );
}

function parseLine(text: string): LogLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null && 'msg' in line ? (line as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

function tail(log: readonly LogLine[], other: readonly string[]): string {
  return [...log.slice(-10).map((line) => JSON.stringify(line).slice(0, 600)), ...other.slice(-10)].join(
    '\n',
  );
}
