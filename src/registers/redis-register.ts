// What records and meters in Redis have in common: a connection, the time, scripts below one base.

import { sharedClock } from '../redis/clock.ts';
import { closeRedis, unreachable } from '../redis/connection.ts';
import type { RedisConnectOptions } from '../redis/connection.ts';
import { openRedis } from '../redis/open.ts';
import { scriptsOf } from '../redis/scripts.ts';

export interface RedisRegisterOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string;
  /** What all names in Redis begin with. */
  readonly prefix: string;
  readonly log: RedisConnectOptions['log'];
  /** Milliseconds after which a call is given up. */
  readonly commandTimeout?: number;
  /** Milliseconds since 1970; unset: as Redis counts them. */
  readonly now?: () => number;
}

export type Arguments = readonly (string | number)[];

/** Opens `{prefix}:{name}`. Rejects with an Error for people where Redis cannot be reached or used. */
export async function openRegister<const Scripts extends Readonly<Record<string, string>>>(
  name: string,
  lua: Scripts,
  { url, prefix, log, commandTimeout, now }: RedisRegisterOptions,
) {
  await using stack = new AsyncDisposableStack();
  const redis = await openRedis({
    url,
    name: `mediamill-${name}`,
    log,
    ...(commandTimeout !== undefined && { commandTimeout }),
  });
  stack.defer(() => closeRedis(redis));
  const clock = now === undefined ? stack.use(await sharedClock(redis)) : { now };
  const scripts = scriptsOf(redis, lua);
  const base = `{${prefix}}:${name}`;
  const open = stack.move();
  return {
    base,
    redis,
    now: (): number => clock.now(),
    /** Rejects `backend_unavailable` where Redis cannot be reached. */
    run: <T>(script: keyof Scripts, ...args: Arguments): Promise<T> =>
      asked(scripts[script]([base], args)) as Promise<T>,
    close: (): Promise<void> => open.disposeAsync(),
  };
}

/** The answer of a call to Redis. Rejects `backend_unavailable` where it cannot be reached. */
export async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw unreachable(error);
  }
}
