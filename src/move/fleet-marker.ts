// What Redis says of a move from a fleet or to it: that the truth is elsewhere now, or that a move has not ended.

import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';
import { closeRedis, unreachable } from '../redis/connection.ts';
import type { Redis, RedisConnectOptions } from '../redis/connection.ts';
import { openRedis } from '../redis/open.ts';
import { isEmpty, parseMarker } from './marker.ts';
import type { End } from './marker.ts';

export interface FleetMarkerOptions {
  readonly url: string;
  readonly prefix: string;
  readonly log: RedisConnectOptions['log'];
}

const keyOf = (prefix: string): string => `{${prefix}}:move`;

/** Rejects, with an Error for people, where Redis cannot be reached. */
export async function openFleetEnd({ url, prefix, log }: FleetMarkerOptions): Promise<End & AsyncDisposable> {
  const redis: Redis = await openRedis({ url, name: 'mediamill-move', log });
  const key = keyOf(prefix);
  return {
    async read() {
      const text = await asked(redis.get(key));
      return text === null ? {} : parseMarker(text, `${key} in Redis`);
    },
    async write(marker) {
      await asked<unknown>(isEmpty(marker) ? redis.del(key) : redis.set(key, JSON.stringify(marker)));
    },
    [Symbol.asyncDispose]: () => closeRedis(redis),
  };
}

/** Rejects with ConfigError where a fleet would go on with what was moved elsewhere, or with a part of what it is to get. */
export async function assertFleetNotMoved(
  { QUEUE, REDIS_URL: url = '', REDIS_PREFIX: prefix }: Pick<Config, 'QUEUE' | 'REDIS_URL' | 'REDIS_PREFIX'>,
  log: FleetMarkerOptions['log'],
): Promise<void> {
  if (QUEUE !== 'bullmq') return;
  await using end = await openFleetEnd({ url, prefix, log });
  const { moving, queue } = await end.read();
  if (moving !== undefined) {
    throw new ConfigError(
      `A move ${moving === 'fleet' ? 'to' : 'of'} the fleet ${prefix} has not ended: run \`npm run move -- --to ${moving}\` once more, with the settings as they were. It goes on to its end, or is given up with --give-up.${moving === 'fleet' ? ` After that ${prefix} is of no use, as it has not got everything: set another REDIS_PREFIX.` : ''}`,
    );
  }
  if (queue === undefined) return;
  throw new ConfigError(
    `The jobs of the fleet ${prefix} were moved to a folder on ${queue}: start the server there, with QUEUE=sqlite. To go on with what they were then: redis-cli DEL '${keyOf(prefix)}'.`,
  );
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw unreachable(error);
  }
}
