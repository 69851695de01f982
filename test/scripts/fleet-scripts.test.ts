// The commands of an operator, where jobs are in Redis and files in S3.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fleet } from '../../scripts/doctor/fleet.ts';
import type { Finding } from '../../scripts/doctor/finding.ts';
import { readConfig } from '../../src/config.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { fleetHints } from '../../src/redis/fleet-hints.ts';
import { BARE_ENV } from '../support/bare-env.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';

const stack = new AsyncDisposableStack();
let folder: string;
let redis: TestRedis;
let shared: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-scripts-'));
  stack.defer(() => rm(folder, { recursive: true }));
  redis = stack.use(await startRedis());
  const s3 = stack.use(await startS3());
  shared = { QUEUE: 'bullmq', REDIS_URL: redis.url, ...s3.settings() };
});
afterAll(() => stack.disposeAsync());

function run(script: string, args: readonly string[], env: Record<string, string> = {}) {
  const { promise, resolve: ended } = Promise.withResolvers<{ code: number; out: string; told: string }>();
  const child = execFile(
    process.execPath,
    [`scripts/${script}.ts`, ...args],
    {
      cwd: resolve(import.meta.dirname, '../..'),
      env: { ...BARE_ENV, DATA_DIR: join(folder, 'data'), PORT: '0', ...shared, ...env },
    },
    (_error, out, told) => ended({ code: child.exitCode ?? -1, out, told }),
  );
  return promise;
}
async function examined(env: Record<string, string> = {}): Promise<Record<string, Finding>> {
  const findings = await fleet(readConfig({ DATA_DIR: join(folder, 'data'), ...shared, ...env }));
  return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
}

it('the doctor looks at Redis and at the bucket', async () => {
  expect(await examined()).toMatchObject({
    redis: { state: 'ok' },
    eviction: { state: 'ok' },
    aof: { state: 'ok' },
    fsync: { state: 'warning', text: expect.stringContaining('everysec') },
    fleet: { state: 'ok', text: 'no other process yet under REDIS_PREFIX=mediamill' },
    bucket: { state: 'ok' },
  });
});

it('the doctor counts the processes under the prefix, and is silent of what it may not ask', async () => {
  await using durable = await startRedis([
    ...['--appendfsync', 'always', '--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-config'],
  ]);
  const there = { REDIS_URL: durable.url, REDIS_PREFIX: 'ours', STORE: 'disk' };
  const log = { warn: () => undefined };
  const hints = fleetHints({
    ...{ local: localHints(), url: durable.url, prefix: 'ours', machine: 'one', log },
  });
  try {
    await hints.heard;
    const found = await examined(there);
    expect(found).toMatchObject({
      aof: { state: 'ok' },
      fleet: { text: '1 process runs under REDIS_PREFIX=ours' },
    });
    expect(found).not.toHaveProperty('fsync');
    await using asked = await startRedis(['--appendfsync', 'always']);
    expect(await examined({ ...there, REDIS_URL: asked.url })).toMatchObject({ fsync: { state: 'ok' } });
    expect(await examined({ ...there, REDIS_PREFIX: 'our' })).toMatchObject({
      fleet: { text: expect.stringContaining('no other process yet') },
    });
  } finally {
    await hints.close();
  }
});

it('the doctor says what is wrong with them, and what cures it', async () => {
  await using careless = await startRedis(['--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no']);
  expect(await examined({ REDIS_URL: careless.url, S3_BUCKET: 'not-there' })).toMatchObject({
    redis: { state: 'ok' },
    eviction: { state: 'missing', cure: expect.stringContaining('noeviction') },
    aof: { state: 'warning', cure: expect.stringContaining('appendonly') },
    bucket: { state: 'missing' },
  });
  const found = await examined({ REDIS_URL: 'redis://:secret@127.0.0.1:1', STORE: 'disk' });
  expect(found).toMatchObject({ redis: { state: 'missing' }, store: { state: 'warning' } });
  expect(JSON.stringify(found)).not.toContain('secret');
});

it('backup says what to back up, and backs nothing up', async () => {
  const { code, told } = await run('backup', [join(folder, 'backup')]);
  expect(code).toBe(1);
  expect(told).toContain('Redis');
  expect(told).toContain('bucket');
  expect(await readdir(folder)).not.toContain('backup');
});

it('keys are made in Redis, and nothing in the folder', async () => {
  const made = await run('keys', ['create', '--name', 'me']);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^mm_/) });
  const listed = await run('keys', ['list', '--json'], { DATA_DIR: join(folder, 'elsewhere') });
  expect(listed.out).toContain('"me"');
  expect(await readdir(folder)).not.toContain('data');
});
