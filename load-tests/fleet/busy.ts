// What a command costs a Redis that has much to do: it wakes, reads and writes for many at once. Measured on the queue itself.

import { DEFAULT_TENANT } from '../../src/jobs/job.ts';
import type { NewJob } from '../../src/jobs/job.ts';
import { recipeSchema } from '../../src/jobs/recipe.ts';
import { newId } from '../../src/lib/id.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import type { Hint } from '../../src/contracts.ts';
import { openBullQueue } from '../../src/queues/bullmq.ts';
import type { RedisGauge } from './redis-usage.ts';

export interface Busy {
  /** Seconds of Redis' main thread for a command, those inside scripts counted too. */
  readonly commandSeconds: number;
  /** Commands, and seconds, for a job that is added, handed out and ended, without anything around the queue. */
  readonly commands: number;
  readonly jobSeconds: number;
}

const ADDED_AT_ONCE = 50;
const WORKED_AT_ONCE = 32;
const RECIPE = recipeSchema.parse({ outputs: { small: { type: 'image', format: 'jpeg' } } });

/** Adds `count` jobs as fast as one process can, and has them worked on by one that has nothing to do for them. */
export async function keepBusy(url: string, redis: RedisGauge, count: number): Promise<Busy> {
  const queue = await openBullQueue({
    url,
    prefix: 'busy',
    owner: 'busy',
    machine: 'busy',
    policy: { maxAttempts: 3, ttlSeconds: 3600 },
    leaseSeconds: 30,
    maxWaiting: count,
    hints: localHints<Hint>(),
  });
  try {
    const before = await redis.read();
    for (let at = 0; at < count; at += ADDED_AT_ONCE) {
      const some = Math.min(ADDED_AT_ONCE, count - at);
      await Promise.all(Array.from({ length: some }, () => queue.add(aJob())));
    }
    let ended = 0;
    const { promise: all, resolve } = Promise.withResolvers<void>();
    queue.work(
      'image',
      {
        run: async () => ({ outputs: {}, warnings: [] }),
        discard: async () => undefined,
        settled: async () => {
          if (++ended === count) resolve();
        },
      },
      { concurrency: WORKED_AT_ONCE },
    );
    await all;
    const after = await redis.read();
    const commands = after.commands - before.commands;
    const seconds = after.cpuSeconds - before.cpuSeconds;
    return { commandSeconds: seconds / commands, commands: commands / count, jobSeconds: seconds / count };
  } finally {
    await queue.close();
  }
}

function aJob(): NewJob {
  const id = newId();
  const source = { key: `sources/${id}`, name: 'photo.jpg', mediaType: 'image/jpeg', bytes: 800_000 };
  return {
    id,
    tenant: DEFAULT_TENANT,
    lane: 'image',
    source: { ...source, width: null, height: null, durationSeconds: null },
    recipe: RECIPE,
  };
}
