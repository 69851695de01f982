// Opening a connection to Redis at the start: waits for it, looks whether it is fit, says for people what is wrong.

import { ConfigError } from '../config.ts';
import { Problem } from '../problems.ts';
import { connectRedis, unreachable } from './connection.ts';
import type { Redis, RedisConnectOptions } from './connection.ts';
import { reasonOf, refusalOf, tlsHint } from './reasons.ts';

export interface RedisOpenOptions extends RedisConnectOptions {
  /** Milliseconds in which Redis must answer. */
  readonly patience?: number;
  /** Whether to warn of settings with which Redis loses what it is given. */
  readonly advise?: boolean;
}

const PATIENCE_MS = 10_000;
const OLDEST = [6, 2] as const;

/**
 * Resolves when it can be used. Rejects `backend_unavailable` where it does not answer, and with a ConfigError where a
 * person must change something; both name host and port, never the password.
 */
export async function openRedis({
  patience = PATIENCE_MS,
  advise = false,
  ...options
}: RedisOpenOptions): Promise<Redis> {
  const place = placeOf(options.url);
  const redis = connectRedis(options);
  try {
    await ready(redis, options.url, patience);
    const info = factsOf(await redis.info());
    const version = info['redis_version'] ?? '';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
      throw new ConfigError(`The Redis at ${place} is ${version}: ${OLDEST.join('.')} or later is needed.`);
    }
    if (advise) warn(info, place, options.log);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw refusal(error, place) ?? unreachable(error);
  }
}

async function ready(redis: Redis, url: string, patience: number): Promise<void> {
  if (redis.status === 'ready') return;
  const place = placeOf(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let last = 'no answer';
  const onError = (error: Error): void => {
    last = reasonOf(error);
    const refused = refusal(error, place);
    if (refused !== undefined) reject(refused);
  };
  redis.once('ready', resolve).on('error', onError);
  const timer = setTimeout(() => {
    reject(
      new Problem(
        'backend_unavailable',
        `Redis cannot be reached at ${place} (waited ${patience / 1000} s; ${last}). Start it, or correct REDIS_URL.${tlsHint(url, last)}`,
      ),
    );
  }, patience);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve).off('error', onError);
  }
}

/** For an answer that does not change by waiting; undefined for any other. */
function refusal(error: unknown, place: string): ConfigError | undefined {
  const reason = refusalOf(error);
  return reason === undefined ? undefined : new ConfigError(`The Redis at ${place} refuses us: ${reason}.`);
}

/** `host:port` of a URL, which may hold a password. */
export function placeOf(url: string): string {
  if (!URL.canParse(url)) return 'the address of REDIS_URL';
  const { hostname, port } = new URL(url);
  return `${hostname || 'localhost'}:${port || '6379'}`;
}

/** The lines of INFO: https://redis.io/docs/latest/commands/info/ */
export function factsOf(info: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    info.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':');
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : [];
    }),
  );
}

function warn(
  info: Readonly<Record<string, string | undefined>>,
  place: string,
  log: RedisConnectOptions['log'],
): void {
  const policy = info['maxmemory_policy'];
  if (policy !== undefined && policy !== 'noeviction') {
    log.warn(
      { redis: place, policy },
      'Redis may evict jobs when its memory is full: set `maxmemory-policy noeviction`',
    );
  }
  if (info['aof_enabled'] === '0') {
    log.warn({ redis: place }, 'Redis forgets jobs when it restarts: set `appendonly yes`');
  }
}
