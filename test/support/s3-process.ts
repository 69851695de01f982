// An S3 emulator in a process of its own: it takes no time from the test's event loop, and can be killed and started again.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endChild } from './end-child.ts';
import { freePort } from './free-port.ts';
import { settingsOf } from './s3.ts';
import type { TestS3 } from './s3.ts';

export interface S3Process extends TestS3 {
  readonly port: number;
  /** Ends it, and keeps what it has stored. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same objects. */
  start(): Promise<void>;
}

/** Resolves when it answers. */
export async function startS3Process(): Promise<S3Process> {
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-s3-'));
  const port = await freePort();
  const own = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: 'mediamill',
    accessKey: 'test',
    secretKey: 'test',
  };
  let child: ChildProcess | undefined;
  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);

  async function start(): Promise<void> {
    const program = join(import.meta.dirname, 's3-emulator.ts');
    const started = spawn(process.execPath, [program, String(port), folder, own.bucket], {
      // It ends when its standard input does: also when this process is killed.
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child = started;
    const lines = createInterface({ input: started.stdout });
    await Promise.race([
      once(lines, 'line'),
      once(started, 'exit').then(([code]) => {
        throw new Error(`the S3 emulator ended (${code})`);
      }),
    ]);
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = child;
    child = undefined;
    await endChild(running, signal);
  }

  await start();
  return {
    ...own,
    port,
    settings: settingsOf(own),
    start,
    stop,
    async [Symbol.asyncDispose]() {
      process.off('exit', killAtExit);
      await stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
