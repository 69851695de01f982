// What a queue gives to another, and takes over from it: nothing of a job is lost on the way.

import { describe, expect, it } from 'vitest';
import type { JobQueue, JobResult, KeptJob } from '../../src/contracts.ts';
import type { Job } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult, eventsUntil, handler, until, untilAborted, untilStatus } from './queue-jobs.ts';
import { Sides } from './queue-sides.ts';
import type { QueueBackend } from './queue-sides.ts';

/** `open` makes a second backend, beside that of the test. */
export function keeping(here: Sides, open: () => Promise<QueueBackend>): void {
  /** Another queue, closed after the test. */
  async function elsewhere(): Promise<Sides & AsyncDisposable> {
    const sides = new Sides();
    await sides.open(await open());
    return Object.assign(sides, { [Symbol.asyncDispose]: () => sides.backend.close() });
  }

  describe('keeping', () => {
    it('gives out all that is kept, by id, piece by piece', async () => {
      const jobs: Job[] = [];
      for (let index = 0; index < 5; index++)
        jobs.push(await here.left.add(aJob(index === 2 ? { idempotencyKey: 'once' } : {})));
      jobs[1] = (await here.left.cancel(jobs[1]!.id))!;
      jobs[3] = (await here.left.cancel(jobs[3]!.id))!;
      await here.left.acknowledge(jobs[3].id);
      const first = await here.right.dump(undefined, 3);
      expect(first).toEqual([
        { job: jobs[0], idempotencyKey: null, owed: false },
        { job: jobs[1], idempotencyKey: null, owed: true },
        { job: jobs[2], idempotencyKey: 'once', owed: false },
      ]);
      const rest = await here.right.dump(first.at(-1)!.job.id, 3);
      expect(rest.map(({ job, owed }) => [job, owed])).toEqual([
        [jobs[3], false],
        [jobs[4], false],
      ]);
      expect(await here.right.dump(jobs[4]!.id, 3)).toEqual([]);
    });

    it('takes over those that wait: in their order, with their keys, told as waiting', async () => {
      const low = await here.left.add(aJob({ idempotencyKey: 'low' }));
      const high = await here.left.add(aJob({ priority: 5, tenant: 'one' }));
      const other = await here.left.add(aJob({ lane: 'film' }));
      await using there = await elsewhere();
      expect(await restoreAll(await all(here.left), there.left)).toEqual([true, true, true]);
      for (const job of [low, high, other]) expect(await there.right.get(job.id)).toEqual(job);
      expect(await there.right.made('low')).toEqual(low);
      expect(await there.right.add(aJob({ idempotencyKey: 'low' }))).toEqual(low);
      expect(await there.right.counts()).toMatchObject({ queued: 3 });
      expect(await there.right.counts('one')).toMatchObject({ queued: 1 });
      const waiting = { waiting: 2, running: 0, oldestSince: low.createdAt };
      expect((await there.right.lanes()).image).toEqual(waiting);
      const told = await eventsUntil(there.right, { after: 0 }, ({ jobId }) => jobId === other.id);
      expect(told.map(({ jobId, type, tenant }) => [jobId, type, tenant])).toEqual(
        [low, high, other].map(({ id, tenant }) => [id, 'queued', tenant]),
      );
      const work = handler();
      there.right.work('image', work, { concurrency: 1 });
      for (const { id } of [low, high]) await untilStatus(there.left, id, 'succeeded');
      expect(work.started.map(({ id }) => id)).toEqual([high.id, low.id]);
      expect(work.started[0]).toMatchObject({ attempt: 1, revision: high.revision + 1 });
    });

    it('lets one that ran wait again: its attempt is not spent, and its work comes from the beginning', async () => {
      const work = handler(async (job, context) => {
        context.progress({ progress: 0.4, source: { width: 640 }, live: {} });
        return untilAborted(job, context);
      });
      here.left.work('video', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob({ lane: 'video' }));
      const running = await until(here.right, id, ({ source }) => source.width === 640);
      await using there = await elsewhere();
      expect(await restoreAll(await all(here.right), there.left)).toEqual([true]);
      const restored = await there.right.get(id);
      expect(restored).toMatchObject({ status: 'queued', attempt: 0, progress: 0, source: { width: 640 } });
      expect(restored!.revision).toBeGreaterThan(running!.revision);
      expect(await there.right.endings(there.backend.now() + 1, 10)).toEqual([]);
      there.right.work('video', handler(), { concurrency: 1 });
      expect(await untilStatus(there.left, id, 'succeeded')).toMatchObject({ attempt: 1 });
    });

    it('keeps the attempts of one that waits for the next', async () => {
      const kept = { idempotencyKey: null, owed: false };
      const job: Job = { ...(await here.left.add(aJob())), attempt: 2, startedAt: 1, revision: 9 };
      await here.left.remove(job.id);
      await using there = await elsewhere();
      expect(await there.left.restore({ ...kept, job })).toBe(true);
      expect(await there.right.get(job.id)).toEqual(job);
      const work = handler(() => {
        throw new Problem('internal_error', 'once more');
      });
      there.left.work('image', work, { concurrency: 1 });
      expect(await untilStatus(there.right, job.id, 'failed')).toMatchObject({ attempt: 3 });
    });

    it('ends one that ran and was to be cancelled, which is owed and told', async () => {
      const done = Promise.withResolvers<JobResult>();
      here.left.work(
        'image',
        handler(() => done.promise),
        { concurrency: 1 },
      );
      const { id } = await here.left.add(aJob());
      await untilStatus(here.right, id, 'running');
      await here.right.cancel(id);
      const kept = await all(here.right);
      await using there = await elsewhere();
      expect(await restoreAll(kept, there.left)).toEqual([true]);
      done.resolve(aResult());
      const ended = await there.right.get(id);
      expect(ended).toMatchObject({ status: 'cancelled', attempt: 1 });
      expect(await there.right.endings(there.backend.now() + 1, 10)).toEqual([ended]);
      const told = await eventsUntil(there.right, { after: 0 }, () => true);
      expect(told).toMatchObject([{ jobId: id, type: 'cancelled' }]);
    });

    it('takes over those that ended, as they are: found, counted, owed and expired as before', async () => {
      const work = handler((job) => {
        if (job.metadata['how'] === 'fail') throw new Problem('image_unreadable', 'It breaks off.');
        return aResult('kept');
      });
      here.left.work('image', work, { concurrency: 1 });
      const one = await here.left.add(aJob({ idempotencyKey: 'done' }));
      const two = await here.left.add(aJob({ metadata: { how: 'fail' } }));
      const three = await here.left.add(aJob({ lane: 'film', tenant: 'other' }));
      await here.left.cancel(three.id);
      await untilStatus(here.left, one.id, 'succeeded');
      await untilStatus(here.left, two.id, 'failed');
      await here.left.acknowledge(two.id);
      const kept = await all(here.right);
      const [succeeded, failed, cancelled] = kept.map(({ job }) => job);
      await using there = await elsewhere();
      expect(await restoreAll(kept, there.left)).toEqual([true, true, true]);

      expect(await all(there.right)).toEqual(kept);
      expect(await there.right.made('done')).toEqual(succeeded);
      expect(succeeded).toMatchObject({ results: { small: { key: 'kept' } } });
      expect(failed).toMatchObject({ problem: { code: 'image_unreadable' } });
      const ended = { queued: 0, running: 0, succeeded: 1, failed: 1, cancelled: 1 };
      expect(await there.right.counts()).toEqual(ended);
      expect(await there.right.list({ limit: 10 })).toMatchObject({ items: [cancelled, failed, succeeded] });
      expect(await there.right.list({ limit: 10, tenant: 'other', status: 'cancelled' })).toMatchObject({
        items: [cancelled],
      });
      expect(await there.right.newestEvent()).toBe(0);

      const times = [succeeded, failed, cancelled].map((job) => job!.expiresAt!);
      expect(await there.right.expired(Math.min(...times) - 1, 10)).toEqual([]);
      const later = Math.max(...times);
      expect((await there.right.expired(later, 10)).map(({ id }) => id).toSorted()).toEqual([
        one.id,
        two.id,
        three.id,
      ]);

      const owed = async (): Promise<string[]> =>
        (await there.right.endings(there.backend.now() + 60_000, 10)).map(({ id }) => id).toSorted();
      expect(await owed()).toEqual([one.id, three.id]);
      // A new end beside them, noted by its event.
      const late = await there.left.add(aJob({ lane: 'film' }));
      await there.left.cancel(late.id);
      expect(await owed()).toEqual([one.id, three.id, late.id]);
      for (const { id } of [one, late]) await there.left.acknowledge(id);
      expect(await owed()).toEqual([three.id]);

      await there.left.remove(one.id);
      expect(await there.right.made('done')).toBeUndefined();
    });

    it('takes over what it has already neither again nor in another state', async () => {
      const added = await here.left.add(aJob({ idempotencyKey: 'mine' }));
      const [kept] = await all(here.left);
      const cancelled = await here.left.cancel(added.id);
      expect(await here.right.restore(kept!)).toBe(false);
      // Another job of the same key: one call makes one job.
      const twin: KeptJob = { ...kept!, job: { ...added, id: aJob().id } };
      expect(await here.right.restore(twin)).toBe(false);
      expect(await all(here.left)).toEqual([{ job: cancelled, idempotencyKey: 'mine', owed: true }]);
      expect(await here.left.counts()).toMatchObject({ queued: 0, cancelled: 1 });
      expect(await here.left.newestEvent()).toBe(2);
    });

    it('takes one over once, if two ask for it', async () => {
      const kept: KeptJob = { job: await here.left.add(aJob()), idempotencyKey: 'race', owed: false };
      await using there = await elsewhere();
      const { left, right } = there;
      const won = await Promise.all([left, right, left, right].map((queue) => queue.restore(kept)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await right.counts()).toMatchObject({ queued: 1 });
      expect(await right.newestEvent()).toBe(1);
    });

    it('goes on behind the events of another queue: who has read those is told what it has missed', async () => {
      for (let count = 0; count < 3; count++) await here.left.add(aJob({ tenant: 'one' }));
      await using there = await elsewhere();
      const kept = await there.left.add(aJob({ tenant: 'one' }));
      await there.left.skipEvents(40);
      await there.right.skipEvents(40);
      await there.right.skipEvents(7);
      expect(await there.right.newestEvent()).toBe(40);
      // Its own event is forgotten with the others.
      expect(await there.right.hasNews(kept.id, 40)).toBe(false);
      expect(await there.right.hasNews(kept.id, 39)).toBe(true);
      const { signal } = new AbortController();
      const read = (after: number): AsyncIterator<unknown> =>
        there.right.events({ after, of: { tenant: 'one' }, signal })[Symbol.asyncIterator]();
      const missed = read(3);
      expect((await missed.next()).value).toEqual({ type: 'lost', sequence: 40 });
      const { id } = await there.left.add(aJob({ tenant: 'one' }));
      const next = { sequence: 41, type: 'queued', jobId: id };
      expect((await missed.next()).value).toMatchObject(next);
      expect((await read(40).next()).value).toMatchObject(next);
    });

    it('takes over more than may wait: they have been accepted', async () => {
      for (let index = 0; index < 4; index++) await here.left.add(aJob());
      await using there = await elsewhere();
      const small = await there.connect('small', { maxWaiting: 2 });
      expect(await restoreAll(await all(here.left), small)).toEqual([true, true, true, true]);
      await expect(small.add(aJob())).rejects.toMatchObject({ code: 'overloaded' });
    });
  });
}

async function all(queue: JobQueue): Promise<readonly KeptJob[]> {
  return queue.dump(undefined, 100);
}

async function restoreAll(kept: readonly KeptJob[], queue: JobQueue): Promise<boolean[]> {
  const restored: boolean[] = [];
  for (const one of kept) restored.push(await queue.restore(one));
  return restored;
}
