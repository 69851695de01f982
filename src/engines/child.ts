// The one place where processes are started: own process group, every pipe drained, ended for certain.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Command } from './child-guard.ts';

export interface ChildRequest {
  readonly command: Command;
  readonly cwd?: string;
  /** Stops it: SIGKILL to its group. */
  readonly signal: AbortSignal;
  /** Milliseconds of wall clock. */
  readonly timeoutMs: number;
  /** Bytes of standard output to collect; more than that stops it. Without, standard output is dropped. */
  readonly maxOutput?: number;
  /**
   * Takes standard output as it comes, instead of collecting it. It must be piped at once: Node drops
   * what nobody listens to when a process exits. What is not read stays in the pipe and makes the process wait, and
   * this promise too; a process that is stopped loses it.
   */
  onStdout?(stdout: Readable): void;
  onStderr?(text: string): void;
  /** What it writes to file descriptor 3. */
  onProgress?(text: string): void;
}

export interface ChildEnd {
  readonly code: number | null;
  /** What killed it. */
  readonly signal: NodeJS.Signals | null;
  /** Why we stopped it, or null if it ended by itself or by somebody else. */
  readonly stopped: 'aborted' | 'timeout' | 'overflow' | null;
  readonly stdout: string;
}

/**
 * Runs a command to its end: settles only when the process is gone and its pipes are empty. Rejects only if it could
 * not be started (`ENOENT`, `EACCES`, `EAGAIN` …) or with the signal's reason if that was aborted before.
 */
export function runChild(request: ChildRequest): Promise<ChildEnd> {
  const { command, signal, timeoutMs, maxOutput } = request;
  const streams = request.onStdout !== undefined;
  signal.throwIfAborted();
  const child = spawn(command.program, command.args, {
    stdio: [
      'ignore',
      maxOutput === undefined && !streams ? 'ignore' : 'pipe',
      'pipe',
      ...(request.onProgress === undefined ? [] : (['pipe'] as const)),
    ],
    // A group of its own, so that a signal reaches whatever it may start.
    detached: true,
    ...(request.cwd !== undefined && { cwd: request.cwd }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<ChildEnd>();
  let stopped: ChildEnd['stopped'] = null;
  let stdout = '';

  const stop = (why: NonNullable<ChildEnd['stopped']>): void => {
    if (stopped !== null) return;
    stopped = why;
    // At once: nobody wants what it would still write after SIGTERM, which it ignores in a loop of duplicated frames.
    // Gone already where only its output is still waited for: its number may be another's by now.
    if (!streams || (child.exitCode === null && child.signalCode === null)) killGroup(child);
    // Nobody reads on, and unread bytes would keep the pipe open for ever.
    if (streams) child.stdout?.destroy();
  };
  const onAbort = (): void => stop('aborted');
  const clock = setTimeout(() => stop('timeout'), timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  const settle = (): void => {
    clearTimeout(clock);
    signal.removeEventListener('abort', onAbort);
  };

  if (request.onStdout !== undefined && child.stdout !== null) {
    request.onStdout(child.stdout);
  } else {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length + text.length > (maxOutput ?? 0)) stop('overflow');
      else stdout += text;
    });
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => request.onStderr?.(text));
  const progress = child.stdio[3] as Readable | undefined;
  progress?.setEncoding('utf8').on('data', (text: string) => request.onProgress?.(text));
  child.once('error', (error) => {
    // A signal that could not be sent is an error event too; only a process that never was will not close.
    if (child.pid !== undefined) return;
    settle();
    reject(error);
  });
  child.once('close', (code, killedBy) => {
    settle();
    resolve({ code, signal: killedBy, stopped, stdout });
  });
  return promise;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
