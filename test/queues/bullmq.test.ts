// The queue of a fleet keeps the contract, against a real Redis: two connections of one machine.

import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openBullQueue } from '../../src/queues/bullmq.ts';
import { queueContract } from '../contracts/queue.ts';
import type { QueueBackend } from '../contracts/queue-sides.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { passInRedis } from './bullmq-fixture.ts';

let server: TestRedis;
let raw: Redis;
beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url);
});
afterAll(async () => {
  raw.disconnect();
  await server[Symbol.asyncDispose]();
});

queueContract('the BullMQ queue', openBackend);

let backends = 0;
async function openBackend(): Promise<QueueBackend> {
  const prefix = `test${backends++}`;
  const hints = localHints<never>();
  const queues: JobQueue[] = [];
  let passed = 0;
  const now = (): number => Date.now() + passed;
  return {
    now,
    async connect(options) {
      const queue = await openBullQueue({
        ...{ ...options, url: server.url, prefix, machine: 'this', hints, now },
        ...{ stalledMilliseconds: 20, pollMilliseconds: 50 },
      });
      queues.push(queue);
      return queue;
    },
    async pass(milliseconds) {
      passed += milliseconds;
      await passInRedis(raw, prefix, milliseconds);
    },
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
