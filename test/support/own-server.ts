// A server of one's own in a process of its own: on a free port with a folder of data, stopped and started again, gone afterwards.

import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild } from './end-child.ts';
import { freePort } from './free-port.ts';

export interface OwnServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Ends it, and keeps what it has written. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
}

interface Started {
  readonly child: ChildProcess;
  /** Resolves when it answers. */
  readonly ready: Promise<unknown>;
}

/** Resolves when it answers. `launch` is asked again for each further start. */
export async function startOwnServer(
  name: string,
  launch: (where: { readonly port: number; readonly folder: string }) => Started,
): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), `mediamill-${name}-`));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);

  async function start(): Promise<void> {
    const started = launch({ port, folder });
    child = started.child;
    await started.ready;
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = child;
    child = undefined;
    await endChild(running, signal);
  }

  await start();
  return {
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
