// A server whose files and jobs are kept apart says whose the files are; one with both in a folder has no need to.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { startTestServer } from '../support/server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mediamill-owner-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const marks = (): Promise<string[]> => readdir(join(folder, 'store/blobs/owners')).catch(() => []);

it('with the same mark in each life, and another for other records', async () => {
  await using redis = await startRedis();
  const shared = { QUEUE: 'bullmq', REDIS_URL: redis.url, STORE: 'disk' };
  const live = async (more: Record<string, string> = {}): Promise<string[]> => {
    const server = await startTestServer({ ...shared, ...more }, { dataDir: folder });
    await server[Symbol.asyncDispose]();
    return marks();
  };
  const first = await live();
  expect(first).toHaveLength(1);
  expect(await live()).toEqual(first);
  const both = await live({ REDIS_PREFIX: 'other' });
  expect(both).toHaveLength(2);
  expect(both).toEqual(expect.arrayContaining(first));
});

it('and none where one folder has all', async () => {
  const server = await startTestServer({ QUEUE: 'sqlite', STORE: 'disk' }, { dataDir: folder });
  await server[Symbol.asyncDispose]();
  expect(await marks()).toEqual([]);
});
