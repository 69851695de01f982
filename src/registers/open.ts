// Which records and meters the settings mean: said once, for the server and for its command lines.

import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Meters, Records } from '../contracts.ts';
import type { RedisRegisterOptions } from './redis-register.ts';
import { openSqliteMeters } from './sqlite-meters.ts';
import { openSqliteRecords } from './sqlite-records.ts';

type Place = Pick<Config, 'DATA_DIR'> & Partial<Pick<Config, 'QUEUE' | 'REDIS_URL' | 'REDIS_PREFIX'>>;
type Log = RedisRegisterOptions['log'];

/** For command lines, which say why they fail anyway. */
const QUIET: Log = { warn: () => undefined };

/** `log` is told when Redis is lost, and what is unfit about it. */
export async function openRecords(config: Place, log = QUIET): Promise<Records> {
  const redis = redisOf(config, log);
  if (redis === undefined) return openSqliteRecords({ path: join(config.DATA_DIR, 'records.sqlite') });
  // Loaded only where it is used.
  const { openRedisRecords } = await import('./redis-records.ts');
  return openRedisRecords(redis);
}

/** What they hold may be lost: counts begin anew. */
export async function openMeters(config: Place, log = QUIET): Promise<Meters> {
  const redis = redisOf(config, log);
  if (redis === undefined) return openSqliteMeters({ path: join(config.DATA_DIR, 'meters.sqlite') });
  const { openRedisMeters } = await import('./redis-meters.ts');
  return openRedisMeters(redis);
}

function redisOf(
  { QUEUE, REDIS_URL, REDIS_PREFIX = 'mediamill' }: Place,
  log: Log,
): RedisRegisterOptions | undefined {
  return QUEUE === 'bullmq' && REDIS_URL !== undefined
    ? { url: REDIS_URL, prefix: REDIS_PREFIX, log }
    : undefined;
}
