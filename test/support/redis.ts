// A real Redis of one's own: started on a free port with an append-only file, gone afterwards.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { startOwnServer } from './own-server.ts';
import type { OwnServer } from './own-server.ts';

export interface TestRedis extends OwnServer {
  /** `redis://127.0.0.1:{port}`. */
  readonly url: string;
}

/** Resolves when it answers. `args` as of redis-server. */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const server = await startOwnServer('redis', ({ port, folder }) => {
    const child = spawn(
      process.env['REDIS_SERVER_PATH'] ?? 'redis-server',
      [
        ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder],
        ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
        ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no', ...args],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const said: string[] = [];
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`redis-server ended (${code})\n${said.join('\n')}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      said.push(line);
      if (/Ready to accept connections/.test(line)) resolve();
    });
    const ready = promise.then(() => {
      child.removeAllListeners('exit');
      endWithUs(child);
    });
    return { child, ready };
  });
  return Object.assign(server, { url: `redis://127.0.0.1:${server.port}` });
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
