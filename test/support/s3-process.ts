// An S3 emulator in a process of its own: it takes no time from the test's event loop, and can be killed and started again.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startOwnServer } from './own-server.ts';
import type { OwnServer } from './own-server.ts';
import { settingsOf } from './s3.ts';
import type { TestS3 } from './s3.ts';

const BUCKET = 'mediamill';

export interface S3Process extends TestS3, OwnServer {}

/** Resolves when it answers. */
export async function startS3Process(): Promise<S3Process> {
  const server = await startOwnServer('s3', ({ port, folder }) => {
    const program = join(import.meta.dirname, 's3-emulator.ts');
    const child = spawn(process.execPath, [program, String(port), folder, BUCKET], {
      // It ends when its standard input does: also when this process is killed.
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const ready = Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the S3 emulator ended (${code})`);
      }),
    ]);
    return { child, ready };
  });
  const own = {
    endpoint: `http://127.0.0.1:${server.port}`,
    bucket: BUCKET,
    accessKey: 'test',
    secretKey: 'test',
  };
  return Object.assign(server, { ...own, settings: settingsOf(own) });
}
