// A real Redis of one's own: started on a free port with an append-only file, gone afterwards.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endChild } from './end-child.ts';
import { freePort } from './free-port.ts';

export interface TestRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:{port}`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it, and keeps what it has written. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
}

/** Resolves when it answers. `args` as of redis-server. */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);

  async function start(): Promise<void> {
    const started = spawn(
      process.env['REDIS_SERVER_PATH'] ?? 'redis-server',
      [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder],
        ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
        ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no', ...args],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child = started;
    const lines = createInterface({ input: started.stdout });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const said: string[] = [];
    started.once('error', reject);
    started.once('exit', (code) => reject(new Error(`redis-server ended (${code})\n${said.join('\n')}`)));
    lines.on('line', (line) => {
      said.push(line);
      if (/Ready to accept connections/.test(line)) resolve();
    });
    await promise;
    started.removeAllListeners('exit');
    endWithUs(started);
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = child;
    child = undefined;
    await endChild(running, signal);
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child?.pid ?? 0;
    },
    start,
    stop,
    async [Symbol.asyncDispose]() {
      process.off('exit', killAtExit);
      await stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Also where this process is killed: then nothing else holds the pipe open, and the watcher ends what it watches. */
function endWithUs(child: ChildProcess): void {
  const watcher = spawn('sh', ['-c', 'read _; kill -9 "$0" 2>/dev/null', `${child.pid}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Its own end is no news, nor is a pipe that it has left.
  watcher.on('error', () => undefined);
  watcher.stdin.on('error', () => undefined);
  child.once('exit', () => watcher.kill('SIGKILL'));
}
