import { expect, it } from 'vitest';
import { closeRedis, connectRedis } from '../../src/redis/connection.ts';
import { openRedisPulse } from '../../src/redis/pulse.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';

const log = { warn: () => undefined };
const prefix = 'test';

it('says whether Redis is reached: after it has ended, has hung, and is back', async () => {
  await using redis = await startRedis();
  const trips: number[] = [];
  const onRoundTrip = (seconds: number): void => void trips.push(seconds);
  const pulse = await openRedisPulse({ url: redis.url, prefix, log, onRoundTrip, everyMs: 20 });
  try {
    expect(pulse.isReachable()).toBe(true);
    expect(await pulse.time()).toBeGreaterThan(1e12);
    await eventually('a round trip', () => trips.length > 0);
    await redis.stop();
    await eventually('it has noticed', () => !pulse.isReachable());
    await redis.start();
    await eventually('it has noticed', () => pulse.isReachable());
    // Nothing is said on the connection: only the missing answer tells.
    process.kill(redis.pid, 'SIGSTOP');
    await eventually('it has noticed', () => !pulse.isReachable());
    process.kill(redis.pid, 'SIGCONT');
    await eventually('it has noticed', () => pulse.isReachable());
  } finally {
    pulse.close();
  }
});

it('cannot be opened where nobody answers', async () => {
  const redis = await startRedis();
  await redis[Symbol.asyncDispose]();
  await expect(openRedisPulse({ url: redis.url, prefix, log, patience: 100 })).rejects.toMatchObject({
    code: 'backend_unavailable',
  });
});

it('says that Redis takes no writes: as a replica, and when its memory is full', async () => {
  await using redis = await startRedis();
  const outside = connectRedis({ url: redis.url, name: 'outside', log });
  const said: string[] = [];
  const noting = {
    warn: (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`),
  };
  const pulse = await openRedisPulse({ url: redis.url, prefix, log: noting, everyMs: 20 });
  const nameOf = async (): Promise<string> => {
    const [line = ''] = String(await outside.client('LIST'))
      .split('\n')
      .filter((client) => client.includes('name=mediamill-pulse'));
    return line.split(' ')[0] ?? '';
  };
  try {
    const first = await nameOf();
    await outside.replicaof('127.0.0.1', 1);
    await eventually('it has noticed', () => !pulse.isReachable());
    // After a failover the name may lead to another one.
    await eventually('it looks anew', async () => ![first, ''].includes(await nameOf()));
    await outside.replicaof('NO', 'ONE');
    await eventually('it has noticed', () => pulse.isReachable());
    await outside.config('SET', 'maxmemory', '1');
    await eventually('it has noticed', () => !pulse.isReachable());
    await outside.config('SET', 'maxmemory', '0');
    await eventually('it has noticed', () => pulse.isReachable());
    expect(said).toEqual([
      'Redis takes no writes {"reason":"READONLY"}',
      'Redis takes writes again {}',
      'Redis takes no writes {"reason":"OOM"}',
      'Redis takes writes again {}',
    ]);
    expect(await outside.dbsize()).toBe(0);
  } finally {
    pulse.close();
    await closeRedis(outside);
  }
});

it('knows from the start that Redis takes no writes', async () => {
  await using redis = await startRedis(['--maxmemory', '1']);
  const pulse = await openRedisPulse({ url: redis.url, prefix, log, everyMs: 60_000 });
  expect(pulse.isReachable()).toBe(false);
  pulse.close();
});
