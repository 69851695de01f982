// A Redis for the tests of the queue on BullMQ, a fleet of its own for each test, and time as BullMQ reads it.

import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { HintBus, JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openBullQueue } from '../../src/queues/bullmq.ts';
import type { BullQueueOptions } from '../../src/queues/bullmq-rooms.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

/** BullMQ's scores of delayed jobs: milliseconds and 12 bits of order (getDelayedScore.lua). */
const PER_MILLISECOND = 0x1000;

interface Fleet {
  readonly server: TestRedis;
  /** As an operator's redis-cli would be. */
  readonly raw: Redis;
  /** Of the keys of this test's fleet, `{…}:`. */
  readonly prefix: string;
  /** A further process; closed after the test. */
  open(options?: Partial<BullQueueOptions>): Promise<JobQueue>;
}

/** Call it where tests are described. */
export function bullFleet(): Fleet {
  let server: TestRedis;
  let raw: Redis;
  let fleets = 0;
  let hints: HintBus;
  const open: JobQueue[] = [];
  beforeAll(async () => {
    server = await startRedis();
    raw = new Redis(server.url, { lazyConnect: true, maxRetriesPerRequest: null });
    raw.on('error', () => undefined); // some tests stop the server
    await raw.connect();
  });
  beforeEach(() => {
    fleets++;
    hints = localHints();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((queue) => queue.close()));
  });
  afterAll(async () => {
    raw.disconnect();
    await server[Symbol.asyncDispose]();
  });
  return {
    get server() {
      return server;
    },
    get raw() {
      return raw;
    },
    get prefix() {
      return `{fleet${fleets}}:`;
    },
    async open(options = {}) {
      const queue = await openBullQueue({
        ...{ url: server.url, prefix: `fleet${fleets}`, owner: 'one', machine: 'this', hints },
        ...{ policy: { maxAttempts: 3, ttlSeconds: 60 }, leaseSeconds: 30, maxWaiting: 200_000 },
        ...{ pollMilliseconds: 50, ...options },
      });
      open.push(queue);
      return queue;
    },
  };
}

/** As if so much time had passed for a fleet: locks run out, what is delayed comes due. */
export async function passInRedis(redis: Redis, prefix: string, milliseconds: number): Promise<void> {
  const keys = await redis.keys(`{${prefix}}:bull:*`);
  const locks = keys.filter((key) => key.endsWith(':lock'));
  if (locks.length > 0) await redis.del(locks);
  for (const key of keys.filter((name) => name.endsWith(':delayed'))) {
    for (const id of await redis.zrange(key, '0', '-1'))
      await redis.zincrby(key, -milliseconds * PER_MILLISECOND, id);
    await redis.zadd(key.replace(/delayed$/, 'marker'), '0', '0');
  }
}
