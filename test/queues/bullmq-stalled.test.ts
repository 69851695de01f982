// Who looks for the tickets of dead owners, and when: the doubts of one process must not stop all others.

import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchStalled } from '../../src/queues/bullmq-stalled.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';

const EVERY = 60;
const LOG = { warn: () => undefined, error: () => undefined };

let server: TestRedis;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

let stack: AsyncDisposableStack;
let prefix = '';
let fleets = 0;
let raw: Redis;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  prefix = `{stalled-${fleets++}}:bull`;
  raw = connect();
  const queue = stack.adopt(new Queue('video', { connection: raw, prefix }), (each) => each.close());
  await queue.add('job', {}, { jobId: 'j-1', priority: 5 });
});
afterEach(() => stack.disposeAsync());

function connect(): Redis {
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  return stack.adopt(redis, (each) => each.disconnect());
}

function worker(): Worker {
  const made = new Worker('video', null, {
    ...{ connection: connect(), prefix, autorun: false, skipStalledCheck: true, skipLockRenewal: true },
    ...{ lockDuration: 30_000, stalledInterval: EVERY / 2, maxStalledCount: 100 },
  });
  made.on('error', () => undefined);
  return stack.adopt(made, (each) => each.close(true));
}

/** A process that looks; `answersAfter` milliseconds are what its connection takes beside, `grace` what it makes all wait. */
function process({ answersAfter = 0, grace = 100 } = {}): Redis {
  const redis = connect();
  const ping = redis.ping.bind(redis);
  if (answersAfter > 0) redis.ping = async () => delay(answersAfter).then(() => ping());
  const own = worker();
  stack.use(
    watchStalled({
      ...{ redis, log: LOG, every: EVERY, grace },
      ...{ stalledKey: own.toKey('stalled'), checkKey: own.toKey('stalled-check') },
      look: async () => void (await own.getBackend().moveStalledJobsToWait()),
    }),
  );
  return redis;
}

const keyOf = (name: string): string => `${prefix}:video:${name}`;

/** Somebody has the ticket, and no lock any more. */
async function dead(): Promise<void> {
  await worker().getNextJob('dead 1');
  await raw.del(keyOf('j-1:lock'));
}

const found = (): Promise<unknown> =>
  eventually('the ticket is found', async () => (await raw.llen(keyOf('active'))) === 0, { timeoutMs: 4000 });

describe('the ticket of a dead owner', () => {
  it('is found although one process gets its answers late', async () => {
    await dead();
    const ping = vi.spyOn(process({ answersAfter: 520, grace: 60_000 }), 'ping');
    await eventually('it has doubted itself once', () => ping.mock.calls.length > 1);
    process();
    await found();
  });

  it('is found although one process loses its connection all the time', async () => {
    await dead();
    process();
    const flapping = process();
    const losing = setInterval(() => flapping.emit('close'), EVERY / 2);
    stack.defer(() => clearInterval(losing));
    await found();
  });

  it('is found where all answers are late', { timeout: 15_000 }, async () => {
    await dead();
    process({ answersAfter: 520 });
    await eventually('it is found', async () => (await raw.llen(keyOf('active'))) === 0);
  });
});

describe('what was marked before an outage', () => {
  it('is forgotten by all', async () => {
    // Nobody looks yet.
    await raw.set(keyOf('stalled-check'), 'later', 'PX', 60_000);
    await dead();
    await raw.sadd(keyOf('stalled'), 'j-1');
    const [one, two] = [process(), process()];
    await Promise.all([one.ping(), two.ping()]);
    one.disconnect(true);
    two.disconnect(true);
    await eventually('the mark is gone', async () => (await raw.exists(keyOf('stalled'))) === 0);
    expect(await raw.get(keyOf('stalled-check'))).toBe('away');
    expect(await raw.lrange(keyOf('active'), 0, -1)).toEqual(['j-1']);
    // Then it is looked for as ever.
    await found();
  });
});
