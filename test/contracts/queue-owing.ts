// What a queue notes of jobs that ended, until somebody says that all that is owed for them is done.

import { describe, expect, it } from 'vitest';
import { Reroute } from '../../src/contracts.ts';
import type { JobResult } from '../../src/contracts.ts';
import type { Job } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult, handler, until, untilAborted, untilStatus } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

export function owing(here: Sides): void {
  const owed = async (limit = 100): Promise<Job[]> => [
    ...(await here.right.endings(here.backend.now() + 1, limit)),
  ];

  describe('owing', () => {
    it('notes a success in the commit that tells of it', async () => {
      here.left.work('image', handler(), { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      const done = await untilStatus(here.right, id, 'succeeded');
      expect(await owed()).toEqual([done]);
    });

    it('notes a failure, and attempts that are used up', async () => {
      const work = handler((job, context) => {
        if (job.metadata['how'] === 'fail') throw new Problem('image_unreadable', 'It breaks off.');
        return untilAborted(job, context);
      });
      here.left.work('image', work, { concurrency: 1 });
      here.right.work('image', work, { concurrency: 1 });
      const failing = await here.right.add(aJob({ metadata: { how: 'fail' } }));
      const failed = await untilStatus(here.right, failing.id, 'failed');
      expect(await owed()).toEqual([failed]);
      const killing = await here.right.add(aJob());
      for (const attempt of [1, 2, 3]) {
        await until(here.right, killing.id, (job) => job.status === 'running' && job.attempt === attempt);
        expect(await owed()).toEqual([failed]);
        await here.expireLeases();
      }
      const exhausted = await untilStatus(here.right, killing.id, 'failed');
      expect(exhausted).toMatchObject({ problem: { code: 'attempts_exhausted' } });
      expect(await owed()).toEqual([failed, exhausted]);
    });

    it('notes that a waiting job was cancelled, and a running one once it has stopped', async () => {
      const waiting = await here.left.add(aJob());
      const cancelled = await here.left.cancel(waiting.id);
      expect(await owed()).toEqual([cancelled]);

      const stop = Promise.withResolvers<JobResult>();
      const work = handler(() => stop.promise);
      here.left.work('image', work, { concurrency: 1 });
      const running = await here.left.add(aJob());
      await untilStatus(here.left, running.id, 'running');
      await here.left.cancel(running.id);
      expect(await owed()).toEqual([cancelled]);
      stop.resolve(aResult());
      const stopped = await untilStatus(here.right, running.id, 'cancelled');
      expect(await owed()).toEqual([cancelled, stopped]);
    });

    it('notes nothing of a job that is tried again, moved or handed back', async () => {
      const again = aJob();
      const moved = aJob({ lane: 'video' });
      const work = handler((job) => {
        if (job.lane === 'video') throw new Reroute('film');
        throw new Problem('encoder_killed', 'SIGKILL');
      });
      here.left.work('image', work, { concurrency: 1 });
      here.left.work('video', work, { concurrency: 1 });
      await here.right.add(again);
      await here.right.add(moved);
      await until(here.right, again.id, (job) => job.status === 'queued' && job.attempt === 1);
      await until(here.right, moved.id, (job) => job.lane === 'film');
      const back = await here.right.add(aJob({ lane: 'film' }));
      here.left.work('film', handler(untilAborted), { concurrency: 2 });
      for (const { id } of [moved, back]) await untilStatus(here.right, id, 'running');
      await here.left.close();
      for (const { id } of [moved, back]) await untilStatus(here.right, id, 'queued');
      expect(await owed()).toEqual([]);
    });

    it('tells the oldest first, as many as asked for, and only those before a moment', async () => {
      const ended: (Job | undefined)[] = [];
      for (let number = 0; number < 3; number++) {
        const { id } = await here.left.add(aJob());
        ended.push(await here.left.cancel(id));
        await here.backend.pass(1000);
      }
      expect(await owed(2)).toEqual(ended.slice(0, 2));
      expect(await here.left.endings(ended[1]?.finishedAt ?? 0, 10)).toEqual(ended.slice(0, 1));
    });

    it('forgets what was acknowledged, as often as that is said', async () => {
      const [first, second] = [await here.left.add(aJob()), await here.left.add(aJob())];
      await here.left.cancel(first.id);
      const cancelled = await here.left.cancel(second.id);
      await here.left.acknowledge(first.id);
      await here.right.acknowledge(first.id);
      await here.right.acknowledge('nobody');
      expect(await owed()).toEqual([cancelled]);
      // A cancel that comes too late ends nothing a second time.
      await here.left.cancel(first.id);
      expect(await owed()).toEqual([cancelled]);
    });

    it('owes nothing for a job that is removed', async () => {
      const finished = await here.left.add(aJob());
      await here.left.cancel(finished.id);
      const waiting = await here.left.add(aJob());
      await here.right.remove(finished.id);
      await here.right.remove(waiting.id);
      expect(await owed()).toEqual([]);

      const stop = Promise.withResolvers<JobResult>();
      const work = handler(() => stop.promise);
      here.left.work('image', work, { concurrency: 1 });
      const running = await here.left.add(aJob());
      await untilStatus(here.left, running.id, 'running');
      await here.right.remove(running.id);
      stop.resolve(aResult());
      // Its place is free again, so what its end brought is written.
      const next = await here.left.add(aJob());
      const done = await untilStatus(here.left, next.id, 'succeeded');
      expect(await owed()).toEqual([done]);
    });
  });
}
