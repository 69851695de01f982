import { expect, it } from 'vitest';
import type { RecordKind } from '../../src/contracts.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { openRedisRecords } from '../../src/registers/redis-records.ts';
import { recordsContract } from '../contracts/records.ts';
import { startRedis } from '../support/redis.ts';
import { twoMachines } from './two-machines.ts';

recordsContract('Redis', twoMachines(openRedisRecords));

it('holds Redis up for a few hundred records at once, however many expired ones it looks through', async () => {
  await using server = await startRedis();
  const notes: RecordKind<string> = { name: 'note' };
  const log = { warn: () => undefined };
  let time = 1000;
  const records = await openRedisRecords({ url: server.url, prefix: 'test', log, now: () => time });
  const redis = connectRedis({ url: server.url, name: 'test', log });
  try {
    const place = { group: 'here', dueAt: 1000, expiresAt: 2000 };
    const ids = Array.from({ length: 3000 }, (_, index) => String(index));
    await Promise.all(ids.map((id) => records.put(notes, id, '', place, 0)));
    time = 2000;
    await redis.config('RESETSTAT');
    expect(await records.due(notes, time, 1)).toEqual([]);
    const stats = await redis.info('commandstats');
    const calls = (name: string): number =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(calls('hmget')).toBe(3000);
    expect(calls('hmget') / (calls('evalsha') + calls('eval'))).toBeLessThanOrEqual(1000);
  } finally {
    redis.disconnect();
    await records.close();
  }
});
