// How well Redis is reached: it is asked every few seconds, so that nobody need wait for an answer that does not come.

import { refusedWrite, unreachable } from './connection.ts';
import { openRedis } from './open.ts';
import { tryWrite } from './writable.ts';

export interface RedisPulse {
  /** Whether it answered when it was asked last and takes writes, and the connection is there. */
  isReachable(): boolean;
  /** Milliseconds since 1970, as Redis counts them. Rejects `backend_unavailable`. */
  time(): Promise<number>;
  close(): void;
}

export interface RedisPulseOptions {
  readonly url: string;
  /** What all names in Redis begin with. */
  readonly prefix: string;
  readonly log: { warn(fields: object, message: string): void };
  /** Told the seconds of each round trip. */
  readonly onRoundTrip?: (seconds: number) => void;
  /** Milliseconds between two questions. */
  readonly everyMs?: number;
  /** Milliseconds in which it must answer at first. */
  readonly patience?: number;
}

/** An answer that takes longer is none, in milliseconds. */
const PATIENCE_MS = 1000;
/** At the start. Without Redis nothing can begin, and whoever started us tries again. */
const FIRST_PATIENCE_MS = 5000;

/** Rejects as openRedis does. Says once that Redis takes no writes, and that it does again. */
export async function openRedisPulse({
  url,
  prefix,
  log,
  onRoundTrip,
  everyMs = 2000,
  patience = FIRST_PATIENCE_MS,
}: RedisPulseOptions): Promise<RedisPulse> {
  const redis = await openRedis({
    url,
    name: 'mediamill pulse',
    log,
    patience,
  });
  let answered = true;
  let refused: string | undefined;
  const note = (reason: string | undefined): void => {
    if (reason !== undefined && refused === undefined) log.warn({ reason }, 'Redis takes no writes');
    if (reason === undefined && refused !== undefined) log.warn({}, 'Redis takes writes again');
    refused = reason;
  };
  const time = async (): Promise<number> => {
    try {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    } catch (error) {
      throw unreachable(error);
    }
  };
  const ask = async (): Promise<void> => {
    const asked = performance.now();
    const late = setTimeout(() => (answered = false), PATIENCE_MS);
    try {
      // One that was demoted, is full or cannot save answers, but whatever it is given is refused.
      await tryWrite(redis, prefix);
      answered = true;
      note(undefined);
      onRoundTrip?.((performance.now() - asked) / 1000);
    } catch (error) {
      answered = false; // it is asked again
      note(refusedWrite(error) ?? refused);
    } finally {
      clearTimeout(late);
    }
  };
  await ask();
  let asking: Promise<void> | undefined;
  const timer = setInterval(() => {
    asking ??= ask().finally(() => (asking = undefined));
  }, everyMs);
  return {
    isReachable: () => answered && redis.status === 'ready',
    time,
    close() {
      clearInterval(timer);
      redis.disconnect();
    },
  };
}
