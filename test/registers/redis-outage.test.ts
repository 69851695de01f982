// Records and meters while Redis is away: refused in time, nothing done late, at work again by themselves.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Meters, RecordKind, Records } from '../../src/contracts.ts';
import { closeRedis, connectRedis } from '../../src/redis/connection.ts';
import { openMeters, openRecords } from '../../src/registers/open.ts';
import { openRedisMeters } from '../../src/registers/redis-meters.ts';
import { openRedisRecords } from '../../src/registers/redis-records.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

const NOTES: RecordKind<string> = { name: 'note' };
const HERE = { group: 'here' };
const MINUTE = 60_000;
const unavailable = { code: 'backend_unavailable', status: 503 };
const quiet = { warn: () => undefined };

let server: TestRedis;
beforeEach(async () => {
  server = await startRedis();
});
afterEach(() => server[Symbol.asyncDispose]());

describe('while Redis is away', () => {
  let records: Records;
  let meters: Meters;
  beforeEach(async () => {
    const options = { url: server.url, prefix: 'test', log: quiet, commandTimeout: 150 };
    [records, meters] = await Promise.all([openRedisRecords(options), openRedisMeters(options)]);
  });
  afterEach(async () => {
    await records.close();
    await meters.close();
  });

  it('calls are refused in time, and nothing of them is done later', async () => {
    await records.put(NOTES, 'a', 'before', HERE, 0);
    const version = (await records.get(NOTES, 'a'))?.version ?? 0;
    await meters.spend('account', 1, Date.now() + MINUTE);
    await server.stop();
    const calls = [
      () => records.get(NOTES, 'a'),
      () => records.put(NOTES, 'a', 'late', HERE, version),
      () => records.put(NOTES, 'b', 'late', HERE, 0),
      () => records.delete(NOTES, 'a'),
      () => records.list(NOTES, { limit: 1 }),
      () => records.due(NOTES, Date.now(), 1),
      () => records.prune(Date.now(), 1),
      () => records.dump(undefined, 1),
      () => meters.take('bucket', { perMinute: 1, burst: 1 }),
      () => meters.enter('gate', 1, 'late', MINUTE),
      () => meters.renew('gate', 'late', MINUTE),
      () => meters.leave('gate', 'late'),
      () => meters.spend('account', 5, Date.now() + MINUTE),
      () => meters.spent('account'),
      () => meters.reserve('account', 1, 9, 'late', MINUTE),
    ];
    await Promise.all(calls.map((call) => expect(call()).rejects.toMatchObject(unavailable)));
    await server.start();
    const again = [
      openRedisRecords({ url: server.url, prefix: 'test', log: quiet }),
      openRedisMeters({ url: server.url, prefix: 'test', log: quiet }),
    ] as const;
    const [recordsAgain, metersAgain] = await Promise.all(again);
    expect(await recordsAgain.get(NOTES, 'a')).toEqual({ id: 'a', value: 'before', version });
    expect(await recordsAgain.get(NOTES, 'b')).toBeUndefined();
    expect(await metersAgain.spent('account')).toBe(1);
    expect(await metersAgain.enter('gate', 1, 'next', MINUTE)).toBe(true);
    await recordsAgain.close();
    await metersAgain.close();
  });

  it('what waits for it is done when it is back, and all goes on', async () => {
    await server.stop();
    await expect(records.get(NOTES, 'a')).rejects.toMatchObject(unavailable);
    await server.start();
    // One of these calls meets the new connection.
    const put = async (): Promise<boolean> => {
      try {
        return await records.put(NOTES, 'a', 'after', HERE, 0);
      } catch {
        return put();
      }
    };
    expect(await put()).toBe(true);
    expect((await records.get(NOTES, 'a'))?.value).toBe('after');
  });
});

it('closes though Redis is away', async () => {
  const records = await openRedisRecords({ url: server.url, prefix: 'test', log: quiet });
  await server.stop('SIGKILL');
  await records.close();
  await records.close();
  await expect(records.get(NOTES, 'a')).rejects.toMatchObject(unavailable);
});

it('the settings choose Redis, and keep fleets apart', async () => {
  const config = { DATA_DIR: '/nonexistent', QUEUE: 'bullmq', REDIS_URL: server.url } as const;
  const one = await openRecords({ ...config, REDIS_PREFIX: 'one' });
  const two = await openRecords({ ...config, REDIS_PREFIX: 'two' });
  const meters = await openMeters({ ...config, REDIS_PREFIX: 'one' });
  await one.put(NOTES, 'a', 'of one', HERE, 0);
  expect(await two.get(NOTES, 'a')).toBeUndefined();
  expect(await meters.spend('account', 1, Date.now() + MINUTE)).toBe(1);
  for (const opened of [one, two, meters]) await opened.close();
});

it('no meter stays for ever, whatever happens to those who hold it', async () => {
  const meters = await openRedisMeters({ url: server.url, prefix: 'test', log: quiet });
  const until = Date.now() + 10 * MINUTE;
  await meters.take('bucket', { perMinute: 60, burst: 10 });
  await meters.enter('gate', 2, 'short', MINUTE);
  await meters.enter('gate', 2, 'long', 20 * MINUTE);
  await meters.enter('gate', 2, 'short', MINUTE);
  await meters.spend('account', 1, until);
  await meters.reserve('account', 1, 9, 'long', 20 * MINUTE);
  await meters.reserve('account', 1, 9, 'short', MINUTE);
  await meters.settle('account', 1, until, { holder: 'short', left: 1, leaseMs: MINUTE });
  const redis = connectRedis({ url: server.url, name: 'test', log: quiet });
  const names = (await redis.keys('*')).toSorted();
  const minutes = names.map(async (name) => [name, Math.floor((await redis.pttl(name)) / MINUTE)]);
  expect(Object.fromEntries(await Promise.all(minutes))).toEqual({
    '{test}:meters:bucket:bucket': 1,
    '{test}:meters:gate:gate': 20,
    '{test}:meters:account:account': 10,
    '{test}:meters:reserved:account': 20,
  });
  await closeRedis(redis);
  await meters.close();
});
