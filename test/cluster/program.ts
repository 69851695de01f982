// Runs the stub program as a person would: a child process, signals, and its log lines to wait for.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Agent } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Line {
  readonly pid: number;
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

export interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** As the line `serving` says it. */
  readonly address: string;
  readonly lines: readonly Line[];
  /** The first line that fits, which is there or comes; from line `from` on. */
  line(fits: string | ((line: Line) => boolean), from?: number): Promise<Line>;
  signal(signal: NodeJS.Signals): void;
  /** Code or signal of its end. */
  readonly ended: Promise<number | string>;
  /** The primary and all its processes are gone: nobody holds the output any more. */
  readonly closed: Promise<unknown>;
  /** A request on a connection of its own, or on one of the agent's. */
  get(path: string, options?: { agent?: Agent; method?: string }): Promise<Answer>;
}

/** Starts the stub and waits until all processes serve, or for its end with `{ serves: false }`. */
export async function startProgram(
  env: Record<string, string> = {},
  { serves = true }: { serves?: boolean } = {},
): Promise<Program> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'stub-program.ts')], {
    env: { ...process.env, PORT: '0', PROCESSES: '2', IMAGE_THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  let wake = Promise.withResolvers<void>();
  const announce = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  let over = false;
  createInterface(child.stdout).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    announce();
  });
  // 'close' and not 'exit': all processes have let go of the output, so every line was read.
  const closed = once(child, 'close').then(() => {
    over = true;
    announce();
  });
  const ended = once(child, 'exit').then(([code, signal]: (number | string)[]) => code ?? signal ?? '');
  const program = {
    pid: child.pid ?? 0,
    address: '',
    lines,
    async line(fits: string | ((line: Line) => boolean), from = 0) {
      const is = typeof fits === 'string' ? ({ msg }: Line) => msg === fits : fits;
      for (;;) {
        const found = lines.slice(from).find(is);
        if (found !== undefined) return found;
        if (over)
          throw new Error(`the program ended without the line; its lines were ${JSON.stringify(lines)}`);
        await wake.promise;
      }
    },
    signal: (signal: NodeJS.Signals) => void child.kill(signal),
    ended,
    closed,
    get(path: string, { agent, method = 'GET' }: { agent?: Agent; method?: string } = {}) {
      return new Promise<Answer>((resolve, reject) => {
        const outgoing = request(new URL(path, program.address), { agent: agent ?? false, method });
        outgoing.once('error', reject).once('response', (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.once('error', reject).once('end', () => resolve({ status: response.statusCode, text }));
        });
        outgoing.end(method === 'POST' ? 'x'.repeat(1000) : undefined);
      });
    },
    async [Symbol.asyncDispose]() {
      if (over) return;
      child.kill('SIGKILL');
      await closed;
    },
  };
  if (serves) program.address = String((await program.line('serving'))['address']);
  return program;
}
