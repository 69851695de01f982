// How many processes of a fleet run, all machines together: as many as listen to its hints.

import { closeRedis } from './connection.ts';
import type { RedisConnectOptions } from './connection.ts';
import { channelOf } from './fleet-hints.ts';
import { openRedis } from './open.ts';

/**
 * A machine whose link was cut is counted until Redis notices (`tcp-keepalive`, 300 s). Rejects with an Error that says
 * where Redis cannot be reached. https://redis.io/docs/latest/commands/pubsub-numsub/
 */
export async function fleetProcesses({
  url,
  prefix,
  log,
}: Pick<RedisConnectOptions, 'url' | 'log'> & { readonly prefix: string }): Promise<number> {
  const redis = await openRedis({ url, name: 'mediamill-look', log });
  try {
    const [, listening] = await redis.pubsub('NUMSUB', channelOf(prefix));
    return Number(listening);
  } finally {
    await closeRedis(redis);
  }
}
