// A program that is started before its Redis: it says so, waits without haste, and serves as soon as it can.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { startRedis } from '../support/redis.ts';

interface Line {
  readonly msg: string;
  readonly reason?: string;
  readonly forkInMs?: number;
}

it('waits for Redis, tries again and again, and gives nothing up', { timeout: 120_000 }, async () => {
  await using redis = await startRedis();
  await redis.stop();
  const folder = await mkdtemp(join(tmpdir(), 'mediamill-start-'));
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: {
      ...{ PATH: process.env['PATH'], DATA_DIR: folder, PORT: '0', PROCESSES: '2', LOG_FORMAT: 'json' },
      ...{
        QUEUE: 'bullmq',
        REDIS_URL: redis.url,
        ADMIN_PORT: '0',
        HOST: '0.0.0.0',
        ALLOW_UNAUTHENTICATED: 'true',
      },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines: Line[] = [];
    const reader = createInterface({ input: child.stdout });
    const exited = once(child, 'exit').then(() => {
      throw new Error(`the program ended: ${lines.map((line) => line.msg).join('; ')}`);
    });
    exited.catch(() => undefined); // it is killed in the end
    let heard = Promise.withResolvers<void>();
    reader.on('line', (text) => {
      lines.push(JSON.parse(text) as Line);
      heard.resolve();
      heard = Promise.withResolvers();
    });
    const said = async (msg: string): Promise<Line> => {
      for (;;) {
        const found = lines.find((line) => line.msg === msg);
        if (found !== undefined) return found;
        await Promise.race([heard.promise, exited]);
      }
    };
    const admin = (await said('metrics')) as Line & { address: string };
    const first = await said('the server cannot start yet');
    expect(first.reason).toContain(`127.0.0.1:${redis.port}`);
    expect((await fetch(`${admin.address}/livez`)).status).toBe(200);
    expect((await fetch(`${admin.address}/readyz`)).status).toBe(503);
    // It is tried again, and soon.
    expect((await said('process did not start')).forkInMs).toBeLessThanOrEqual(5000);
    await redis.start();
    const serving = (await said('serving')) as Line & { address: string };
    expect((await fetch(new URL('/readyz', serving.address.replace('0.0.0.0', '127.0.0.1')))).status).toBe(
      200,
    );
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});
