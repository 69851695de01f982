// The queue of a fleet in real processes, each as a machine of its own: they share the work, and a killed one breaks nothing.

import { expect, it } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openBullQueue } from '../../src/queues/bullmq.ts';
import { handler, untilStatus } from '../contracts/queue-jobs.ts';
import { startRedis } from '../support/redis.ts';
import { expectEachOnce, startQueueProcess } from './queue-process-fixture.ts';

const openHere = (url: string): Promise<JobQueue> =>
  openBullQueue({
    ...{ url, prefix: 'processes', owner: 'here', machine: 'here', hints: localHints<never>() },
    ...{ policy: { maxAttempts: 10, ttlSeconds: 600 }, leaseSeconds: 60, maxWaiting: 10_000 },
    pollMilliseconds: 10,
  });

it('two run each of hundreds of jobs once', async () => {
  await using redis = await startRedis();
  await using first = startQueueProcess(redis.url, 'first');
  await using second = startQueueProcess(redis.url, 'second');
  await Promise.all([first.heard('ready', 1), second.heard('ready', 1)]);
  const queue = await openHere(redis.url);
  try {
    await expectEachOnce(queue, [first, second], 300);
  } finally {
    await queue.close();
  }
});

it.each([5, 40])('one that is killed after %i jobs leaves everything that it promised', async (count) => {
  await using redis = await startRedis();
  await using first = startQueueProcess(redis.url, 'first', 'add');
  await using second = startQueueProcess(redis.url, 'second', 'add');
  await Promise.all([first.heard('settled', count), second.heard('added', count)]);
  await Promise.all([first.end('kill'), second.end('kill')]);
  const queue = await openHere(redis.url);
  try {
    const settled = [first, second].flatMap(({ said }) => said.get('settled') ?? []);
    for (const id of settled) expect(await queue.get(id)).toMatchObject({ status: 'succeeded' });
    for (const owner of ['first', 'second']) await queue.abandon(owner);
    expect(await queue.counts()).toMatchObject({ running: 0, failed: 0 });
    queue.work('image', handler(), { concurrency: 20 });
    const added = [first, second].flatMap(({ said }) => said.get('added') ?? []);
    expect(added.length).toBeGreaterThanOrEqual(count);
    for (const id of added) expect(await untilStatus(queue, id, 'succeeded')).toBeDefined();
    // Also those whose adding was not answered any more: nobody has waited for them yet.
    for (const status of ['queued', 'running'] as const) {
      const { items } = await queue.list({ status, limit: 100 });
      for (const { id } of items) expect(await untilStatus(queue, id, 'succeeded')).toBeDefined();
    }
    expect(await queue.counts()).toMatchObject({ queued: 0, running: 0, failed: 0 });
  } finally {
    await queue.close();
  }
});
