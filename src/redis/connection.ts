// A connection to Redis: how long it is waited for, and what is said when it cannot be reached.

import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { ConfigError } from '../config.ts';
import { redisUrlMistake } from '../lib/redis-url.ts';
import { Problem } from '../problems.ts';
import { guard, NOT_SENT } from './guard.ts';
import { reasonOf, refusalOf } from './reasons.ts';

export type { Redis } from 'ioredis';

export interface RedisConnectOptions {
  /** `redis://` or `rediss://` (TLS). */
  readonly url: string;
  /** What this connection is called in Redis's CLIENT LIST. */
  readonly name: string;
  readonly log: { warn(fields: object, message: string): void };
  /**
   * Milliseconds after which a call is given up: it was not sent and never will be, or it was and may have taken place.
   * 0: never, as blocking calls need; they must not block for longer than 20 seconds.
   */
  readonly commandTimeout?: number;
}

export const COMMAND_TIMEOUT_MS = 5000;
const LONGEST_PAUSE_MS = 1000;
/** Of a connection whose calls block. */
const LONGEST_SILENCE_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;
/**
 * Answers of a Redis that is there, but of no use at the moment; first those of one that only takes no writes.
 * Before Redis 7 a script's errors begin otherwise: `ERR Error running script (call to f_…): @user_script:1: -READONLY …`.
 */
const USELESS =
  /^(?:ERR Error running script .*?: -)?(?:(READONLY|NOREPLICAS|OOM|MISCONF)|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED|BUSY|NOAUTH|WRONGPASS)\b/s;

/**
 * Throws ConfigError for an address that cannot be one, without saying it: it may hold a password.
 * Connects, and again whenever the connection breaks, for ever. Calls made meanwhile wait for it as long as
 * `commandTimeout` says, then reject; `unreachable` makes a Problem of that. What was under way rejects at once.
 */
export function connectRedis({
  url,
  name,
  log,
  commandTimeout = COMMAND_TIMEOUT_MS,
}: RedisConnectOptions): Redis {
  const mistake = redisUrlMistake(url);
  if (mistake !== undefined) throw new ConfigError(`REDIS_URL ${mistake}`);
  const options = {
    // Redis takes no spaces in it.
    connectionName: name.replaceAll(' ', '-'),
    // How long a call waits is the guard's to say; BullMQ demands null.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), LONGEST_PAUSE_MS),
    // A call that was sent and not answered is not sent again: it may have taken place.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    // After a failover the name may lead to the new primary: the old one refuses writes.
    reconnectOnError: (error) => refusedWrite(error) === 'READONLY',
    connectTimeout: COMMAND_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    // A link that was cut says nothing: the connection is made anew when no answer comes.
    socketTimeout: commandTimeout > 0 ? commandTimeout : LONGEST_SILENCE_MS,
    ...(commandTimeout > 0 && { commandTimeout }),
  } satisfies RedisOptions;
  const redis = guard(new Redis(url, options), commandTimeout > 0 ? commandTimeout : Infinity);
  let isLost = false;
  redis.on('error', (error: Error) => {
    // Said once for each time it is lost, not at every try. The error itself may carry the password.
    const refusal = refusalOf(error);
    const reason = refusal ?? reasonOf(error);
    const what = refusal === undefined ? 'Redis cannot be reached' : 'Redis refuses us';
    if (!isLost) log.warn({ reason, connection: name }, what);
    isLost = true;
  });
  redis.on('ready', () => {
    if (isLost) log.warn({ connection: name }, 'Redis is reached again');
    isLost = false;
  });
  return redis;
}

/** Ends a connection when the calls under way are answered, or at once where it is broken. Twice is harmless. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status !== 'end') await redis.quit().catch(() => undefined);
  redis.disconnect();
}

/** The Problem of a call to Redis that failed because it cannot be reached; anything else as it is. */
export function unreachable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem || error instanceof ConfigError) return error;
  const isUseless = USELESS.test(error.message);
  const isAnswer = error.name === 'ReplyError' && !isUseless;
  if (isAnswer || error instanceof TypeError || error instanceof RangeError) return error;
  const outcome =
    isUseless || isNotSent(error)
      ? 'Nothing was done.'
      : 'No answer came, so what was asked may have been done all the same.';
  const refused = refusedWrite(error);
  const what =
    refused === undefined ? 'Redis cannot be reached at the moment' : `Redis takes no writes: ${refused}`;
  return new Problem(
    'backend_unavailable',
    `${what}. ${outcome} Send the request again; what runs goes on.`,
    { cause: error },
  );
}

/** Of an error of a call: whether it has certainly not taken place, and never will. */
export function isNotSent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === NOT_SENT;
}

/** Of an error of a call: why Redis takes no writes (`READONLY`, `OOM`, `MISCONF`, `NOREPLICAS`), if it is that. */
export function refusedWrite(error: unknown): string | undefined {
  return error instanceof Error ? USELESS.exec(error.message)?.[1] : undefined;
}
