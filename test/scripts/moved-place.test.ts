// The commands of an operator refuse a place that was moved elsewhere: what they did there nobody would see.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Hint } from '../../src/contracts.ts';
import { openFleetEnd } from '../../src/move/fleet-marker.ts';
import { enterPlace } from '../../src/move/enter.ts';
import { writeMarker } from '../../src/move/marker.ts';
import { openRecords } from '../../src/registers/open.ts';
import { useFolderAlone } from '../../src/sqlite/folder-use.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { BARE_ENV } from '../support/bare-env.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

let folder: string;
let redis: TestRedis;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-moved-'));
  redis = await startRedis();
  // Something is there that could be changed, and backed up.
  await (await openRecords({ DATA_DIR: folder })).close();
  const path = join(folder, 'mediamill.sqlite');
  const policy = { maxAttempts: 3, ttlSeconds: 60 };
  const bare = { owner: 'test', policy, leaseSeconds: 30, maxWaiting: 1, hints: localHints<Hint>() };
  await (await openSqliteQueue({ path, ...bare })).close();
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const SCRIPTS = [
  ['keys', 'create'],
  ['keys', 'limits', 'acme'],
  ['purge', 'https://example.com/a.jpg'],
] as const;

function run(
  [script, ...args]: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; told: string }> {
  const { promise, resolve: ended } = Promise.withResolvers<{ code: number; out: string; told: string }>();
  const child = execFile(
    process.execPath,
    [`scripts/${script}.ts`, ...args],
    {
      cwd: resolve(import.meta.dirname, '../..'),
      env: { ...BARE_ENV, DATA_DIR: folder, ...env },
    },
    (_error, out, told) => ended({ code: child.exitCode ?? -1, out, told }),
  );
  return promise;
}

it('in a folder whose jobs are in Redis now', async () => {
  await writeMarker(folder, { queue: '2026-11-23T01:02:03.000Z' });
  const backup = join(folder, 'backup');
  const ran = await Promise.all([...SCRIPTS, ['backup', backup]].map((words) => run(words)));
  for (const { code, out, told } of ran) {
    expect([code, out]).toEqual([2, '']);
    expect(told).toContain('were moved to Redis on 2026-11-23T01:02:03.000Z: set QUEUE=bullmq');
  }
  expect(await readdir(folder)).not.toContain('backup');
  await writeMarker(folder, {});
});

it('in a fleet whose jobs are in a folder now', async () => {
  const prefix = 'gone';
  await using end = await openFleetEnd({ url: redis.url, prefix, log: pino({ level: 'silent' }) });
  await end.write({ id: 'a', queue: '2026-11-23T01:02:03.000Z' });
  const env = { QUEUE: 'bullmq', REDIS_URL: redis.url, REDIS_PREFIX: prefix };
  for (const { code, out, told } of await Promise.all(SCRIPTS.map((words) => run(words, env)))) {
    expect([code, out]).toEqual([2, '']);
    expect(told).toContain('were moved to a folder on 2026-11-23T01:02:03.000Z');
  }
});

it('holds the folder while it works there, so that it is not moved meanwhile', async () => {
  const settings = { DATA_DIR: folder, QUEUE: 'sqlite', STORE: 'disk', REDIS_PREFIX: 'mediamill' } as const;
  const place = await enterPlace({ ...settings, REDIS_URL: undefined });
  expect(useFolderAlone(folder)).toBeUndefined();
  place[Symbol.dispose]();
  useFolderAlone(folder)![Symbol.dispose]();
});
