// Looks for tickets whose owners are gone; not while it is Redis, or this process, that was away.

import type { Redis } from '../redis/connection.ts';
import { scriptsOf } from '../redis/scripts.ts';
import type { QueueLog } from './runner.ts';

interface WatchOptions {
  readonly redis: Redis;
  /** BullMQ's: tickets that were active at the last look; as long as it is there, nobody looks. */
  readonly stalledKey: string;
  readonly checkKey: string;
  /** Moves those of the last look whose locks have run out, and marks those that are active now. */
  readonly look: () => Promise<void>;
  /** Milliseconds between looks. */
  readonly every: number;
  /** Milliseconds that owners get to show that they are alive, after Redis was away. */
  readonly grace: number;
  readonly log: QueueLog;
}

/** Milliseconds without a look after which somebody was away. */
const LONG_PAUSE = 2000;
/** Milliseconds after which an answer was held up on its way: others' may have been, too. */
const LONG_ANSWER = 500;
/** So many of them in a row are how things are here, and nothing that happened. */
const MOST_LONG_ANSWERS = 3;
/**
 * All make a pause, and what was marked is forgotten; once in so long, that whoever loses its connection again and again
 * leaves the others the time for two looks.
 * KEYS: marks, pause, that it was done. ARGV: milliseconds of the pause, and until it may be done again.
 */
const FORGIVE = `
if not redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], 'away', 'PX', ARGV[1])
redis.call('DEL', KEYS[1])
return 1`;

/**
 * After an outage of Redis every lock has run out, though those who held them are well and work. So whoever could not look
 * for a while leaves out its own look, by the next of which owners have shown that they are alive; and whoever has lost its
 * connection makes all of them wait, and forget what was marked before. The doubts of one hold up nobody else.
 */
export function watchStalled({
  redis,
  stalledKey,
  checkKey,
  look,
  every,
  grace,
  log,
}: WatchOptions): Disposable {
  const { forgive } = scriptsOf(redis, { forgive: FORGIVE });
  let looked = performance.now();
  let isTrusted = true;
  let isLost = false;
  let longAnswers = 0;
  let looking = false;
  let complained = false;
  const lose = (): void => void (isLost = true);
  redis.on('close', lose);

  async function wasAway(): Promise<boolean> {
    if (redis.status !== 'ready' || performance.now() - looked > Math.max(2 * every, LONG_PAUSE)) return true;
    const asked = performance.now();
    await redis.ping();
    longAnswers = performance.now() - asked > LONG_ANSWER ? longAnswers + 1 : 0;
    return longAnswers > 0 && longAnswers <= MOST_LONG_ANSWERS;
  }

  async function step(): Promise<void> {
    const isDoubtful = !isTrusted || (await wasAway());
    isTrusted = false;
    if (isLost) {
      isLost = false;
      await forgive(
        [stalledKey, checkKey, `${checkKey}-forgiven`],
        [Math.ceil(grace), Math.ceil(grace + 4 * every)],
      ).catch((error: unknown) => {
        isLost = true;
        throw error;
      });
    } else if (!isDoubtful) await look();
    isTrusted = true;
    looked = performance.now();
    complained = false;
  }

  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    step()
      .catch((error: unknown) => {
        if (!complained) log.warn({ err: error }, 'nobody can look for abandoned jobs at present');
        complained = true;
      })
      .finally(() => (looking = false));
  }, every);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      redis.off('close', lose);
    },
  };
}
