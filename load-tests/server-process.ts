// The server under test: the real program, started as a user starts it, with a folder of its own, and stopped again.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { settings } from '../src/config.ts';
import { call } from './call.ts';
import { CheckFailed, check } from './check.ts';
import { readTree, survivors } from './process-tree.ts';

export const ROOT = resolve(import.meta.dirname, '..');

/** A server that runs. Disposing it stops it. */
export interface ServerProcess extends AsyncDisposable {
  /** E.g. `http://127.0.0.1:41234`. */
  readonly address: string;
  readonly pid: number;
  readonly dataDir: string;
  /** As the server itself says. */
  readonly processes: number;
  readonly imageThreads: number;
  readonly videoSlots: number;
  /** SIGTERM. Rejects with CheckFailed if it does not end well and soon, leaves a process, or has logged an error. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly signal: AbortSignal;
  /** Settings of the server; what is not named here has its default, whatever the environment says. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder that was prepared; by default a new empty one. Removed at the end in any case. */
  readonly dataDir?: string;
  readonly command?: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Milliseconds until it must serve. */
  readonly startMs?: number;
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

interface Serving extends LogLine {
  readonly address: string;
  readonly processes: number;
  readonly imageThreads: number;
  readonly videoSlots: number;
}

const STOP_MS = 40_000;
const LOG_TAIL = 20;
/** pino's number for `error`. */
const LOG_ERROR = 50;

/** Starts the server and waits until it says that it is ready. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const { signal, startMs = 60_000 } = options;
  signal.throwIfAborted();
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'mediamill-load-')));
  const [program, ...args] = options.command ?? [process.execPath, 'src/main.ts'];
  const child = spawn(program, args, {
    cwd: options.cwd ?? ROOT,
    env: environment({ ...options.env, DATA_DIR: dataDir }),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is for this program, which then stops the server.
    detached: true,
  });
  const log = watchLog(child);
  const ended = once(child, 'close').then(
    ([code, by]) => `exit code ${String(code)}, signal ${String(by)}`,
    (error: unknown) => String(error),
  );
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= end(child, ended, log, dataDir));
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(startMs)]);
    const died = ended.then((how): never => {
      throw new CheckFailed(`the server ended before it served (${how}):\n${log.tail.join('\n')}`);
    });
    const serving = await Promise.race([log.serving, died, aborted(soon)]);
    await Promise.race([untilReady(serving.address, soon), died]);
    const { address, processes, imageThreads, videoSlots } = serving;
    return {
      address,
      processes,
      imageThreads,
      videoSlots,
      dataDir,
      pid: child.pid as number,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    // What went wrong first is what counts.
    await stop().catch(() => {});
    throw error;
  }
}

function environment(own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !Object.hasOwn(settings, name) || name === 'FFMPEG_PATH' || name === 'FFPROBE_PATH',
  );
  return {
    // As scripts/start has it.
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compile'),
    ...Object.fromEntries(kept),
    PORT: '0',
    LOG_FORMAT: 'json',
    // For a run that ends in the middle of a job: nobody waits for that.
    SHUTDOWN_SECONDS: '3',
    ...own,
  };
}

interface Log {
  readonly tail: readonly string[];
  readonly errors: readonly string[];
  readonly serving: Promise<Serving>;
}

function watchLog(child: ChildProcess): Log {
  const tail: string[] = [];
  const errors: string[] = [];
  const { promise, resolve: told } = Promise.withResolvers<Serving>();
  const keep = (line: string): void => {
    tail.push(line);
    if (tail.length > LOG_TAIL) tail.shift();
  };
  const read = (line: string): void => {
    keep(line);
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line) as LogLine;
    if (entry.level >= LOG_ERROR) errors.push(line);
    if (entry.msg === 'serving') told(entry as Serving);
  };
  if (child.stdout) createInterface(child.stdout).on('line', read);
  if (child.stderr) createInterface(child.stderr).on('line', keep);
  return { tail, errors, serving: promise };
}

async function untilReady(address: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = await call(`${address}/readyz`, signal);
    const text = await answer.text();
    if (answer.status === 200) return;
    // Not ready for a reason that time does not heal, such as no FFmpeg, ends here too: with the reason.
    await delay(100, undefined, { signal }).catch(() => {
      throw new CheckFailed(`the server does not become ready: ${text}`);
    });
  }
}

async function end(child: ChildProcess, ended: Promise<string>, log: Log, dataDir: string): Promise<void> {
  const pid = child.pid;
  const tree = pid === undefined ? [] : await readTree(pid);
  const cancel = new AbortController();
  try {
    child.kill('SIGTERM');
    const late = delay(STOP_MS, 'late', { signal: cancel.signal }).catch(() => 'cancelled');
    const how = await Promise.race([ended, late]);
    cancel.abort();
    const left = await survivors(tree);
    for (const each of left) killed(each.pid);
    const why = `after SIGTERM (${how}):\n${log.tail.join('\n')}`;
    check(how !== 'late', `the server still runs ${STOP_MS / 1000} s ${why}`);
    check(left.length === 0, `processes are left: ${left.map((each) => each.pid).join(', ')} ${why}`);
    check(how === 'exit code 0, signal null', `the server did not end well ${why}`);
    check(log.errors.length === 0, `the server logged errors:\n${log.errors.slice(0, 5).join('\n')}`);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself meanwhile.
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason as Error);
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}
