// Runs the real CLI, as a user's shell does.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

const MAIN = join(resolve(import.meta.dirname, '../..'), 'src/cli/main.ts');

export interface CliOptions {
  readonly cwd: string;
  readonly server: string;
  readonly stdin?: Uint8Array;
  readonly onStart?: (kill: (signal: NodeJS.Signals) => void) => void;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliRun {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  json(): unknown;
}

export async function runCli(args: readonly string[], options: CliOptions): Promise<CliRun> {
  const { cwd, server, stdin, onStart, env = {} } = options;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...process.env, MEDIAMILL_URL: server, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  onStart?.((signal) => child.kill(signal));
  child.stdin.on('error', () => undefined);
  Readable.from(stdin === undefined ? [] : [stdin]).pipe(child.stdin);
  const [[code], stdout] = (await Promise.all([once(child, 'close'), buffer(child.stdout)])) as [
    [number | null],
    Buffer,
  ];
  return { code, stdout, stderr, json: () => JSON.parse(stdout.toString()) as unknown };
}
