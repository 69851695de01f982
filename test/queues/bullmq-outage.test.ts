// What the queue of a fleet makes of a Redis that was away, did not answer in time, or came back without what it had last.

import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_TENANT } from '../../src/jobs/job.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { Problem } from '../../src/problems.ts';
import { openBullRooms } from '../../src/queues/bullmq-rooms.ts';
import { MachineSlots } from '../../src/queues/bullmq-slots.ts';
import { UNANSWERED } from '../../src/redis/guard.ts';
import { aJob, aResult, eventually, handler, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { bullFleet } from './bullmq-fixture.ts';

const fleet = bullFleet();
afterEach(() => void vi.restoreAllMocks());

/** As an outage does it. */
const cutAll = (): Promise<unknown> => fleet.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

describe('a lane', () => {
  it.each([
    ['Redis was away', new Problem('backend_unavailable', 'Redis cannot be reached at the moment.')],
    ['Redis answered nonsense', new Error('ERR nobody knows why')],
  ])('is worked on again after %s', async (_, error) => {
    const wait = vi.spyOn(MachineSlots.prototype, 'wait').mockRejectedValueOnce(error);
    const queue = await fleet.open();
    queue.work('image', handler(), { concurrency: 1 });
    await eventually(() => wait.mock.results.length > 0);
    const { id } = await queue.add(aJob());
    expect(await untilStatus(queue, id, 'succeeded')).toMatchObject({ attempt: 1 });
  });
});

describe('an answer that is lost', () => {
  it('of a progress is not taken for that of the end', async () => {
    let isLost = false;
    // Redis does what it is asked, and nobody hears of it.
    const define = Reflect.get(Redis.prototype, 'defineCommand') as (this: Redis, ...args: unknown[]) => void;
    vi.spyOn(Redis.prototype, 'defineCommand').mockImplementation(function (this: Redis, name, definition) {
      define.call(this, name, definition);
      if (name !== 'mediamill:commit') return;
      const calls = this as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      const call = calls[name]!.bind(this);
      calls[name] = async (...args) => {
        const answer = await call(...args);
        if (!isLost) return answer;
        isLost = false;
        throw Object.assign(new Error('Connection is closed.'), { code: UNANSWERED });
      };
    });
    const rooms = await openBullRooms({
      ...{ url: fleet.server.url, prefix: 'lost-answers', owner: 'one', machine: 'this' },
      ...{
        hints: localHints(),
        policy: { maxAttempts: 3, ttlSeconds: 60 },
        leaseSeconds: 30,
        maxWaiting: 10,
      },
    });
    try {
      const { claims, ledger, owed } = rooms;
      const { job } = await ledger.add(aJob());
      await owed.pay(job, 1);
      const taking = { signal: AbortSignal.timeout(10_000), beat: async () => undefined };
      const claim = (await claims.take('image', 1, taking))?.claim;
      if (claim === undefined) throw new Error('nothing was taken');
      const end = { type: 'succeed', results: aResult().outputs, warnings: [] } as const;
      isLost = true;
      await expect(claims.progress(claim, { progress: 0.5 })).rejects.toThrow('Redis cannot be reached');
      isLost = true;
      await expect(claims.finish(claim, end, undefined)).rejects.toThrow('Redis cannot be reached');
      // Said again, it is known that it was done.
      expect(await claims.finish(claim, end, undefined)).toMatchObject({ status: 'succeeded' });
      expect(await ledger.read(job.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
      claims.leave(claim);
    } finally {
      await rooms.close();
    }
  });
});

describe('a Redis that came back without its last second', () => {
  it.each([
    ['fewer events since than it lost', 1],
    ['more', 5],
  ])('is followed from where it has another history, with %s', async (_, count) => {
    const queue = await fleet.open();
    const heard: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const event of queue.events({ after: 0, signal: stop.signal })) {
        heard.push(event.type === 'lost' ? 'lost' : `${event.sequence} ${event.jobId}`);
      }
    })();
    for (let job = 0; job < 3; job++) await queue.add(aJob());
    await eventually(() => heard.length === 3);
    heard.length = 0;
    await fleet.raw.set(`${fleet.prefix}sequence`, 1);
    for (const stream of ['events', `events:t:${DEFAULT_TENANT}`]) {
      await fleet.raw.xdel(`${fleet.prefix}${stream}`, '2-0', '3-0');
      await fleet.raw.call('XSETID', `${fleet.prefix}${stream}`, '1-0');
    }
    await cutAll();
    const other = await fleet.open({ owner: 'other', machine: 'that' });
    const added: string[] = [];
    for (let job = 0; job < count; job++) added.push((await other.add(aJob())).id);
    await eventually(() => heard.length >= count);
    expect(heard).toEqual(added.map((id, at) => `${at + 2} ${id}`));
    stop.abort();
    await following;
  });

  it('is believed, not what was read before it', async () => {
    const queue = await fleet.open();
    const { id } = await queue.add(aJob());
    const seen = await queue.get(id);
    // Of the same revision, in another history.
    await fleet.raw.hset(
      `${fleet.prefix}job:${id}`,
      'doc',
      JSON.stringify({ ...seen, warnings: ['another'] }),
    );
    await cutAll();
    await vi.waitFor(async () => expect((await queue.get(id))?.warnings).toEqual(['another']), 5000);
  });
});

describe('closing', () => {
  it('goes by the clock of those who say the deadline, whatever Redis takes the time to be', async () => {
    const queue = await fleet.open({ now: () => Date.now() - 3_600_000 });
    queue.work('image', handler(untilAborted), { concurrency: 1 });
    const { id } = await queue.add(aJob());
    await untilStatus(queue, id, 'running');
    await queue.close({ deadline: Date.now() });
    expect(await fleet.raw.hget(`${fleet.prefix}job:${id}`, 'status')).toBe('queued');
  });
});
