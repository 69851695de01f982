// What a queue does when processes die or hang.

import { describe, expect, it } from 'vitest';
import type { JobResult } from '../../src/contracts.ts';
import {
  aJob,
  aResult,
  eventually,
  handler,
  takingOne,
  until,
  untilAborted,
  untilStatus,
} from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

export function dying(here: Sides): void {
  describe('dying', () => {
    it('gives a job whose lease ran out to another, and fences the late finisher off', async () => {
      const wake = Promise.withResolvers<void>();
      const sleeper = handler(async () => {
        await wake.promise;
        return aResult('of the sleeper');
      });
      here.left.work('image', takingOne(sleeper), { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      await untilStatus(here.right, id, 'running');
      await here.expireLeases();
      const other = handler(() => aResult('of the other'));
      here.right.work('image', other, { concurrency: 1 });
      const done = await untilStatus(here.right, id, 'succeeded');
      expect(done).toMatchObject({ attempt: 2, results: { small: { key: 'of the other' } } });
      wake.resolve();
      await eventually(() => sleeper.discarded.length > 0 && other.ended.length > 0);
      expect(sleeper.discarded).toMatchObject([{ id, attempt: 1 }]);
      expect(await here.left.get(id)).toEqual(done);
      expect([sleeper.ended, other.ended]).toEqual([[], [done]]);
      expect(other.discarded).toEqual([]);
    });

    it('does not believe what the one who lost the lease still tells', async () => {
      let tell: (() => void) | undefined;
      const end = Promise.withResolvers<JobResult>();
      const work = handler((job, context) => {
        if (job.attempt === 1) tell = () => context.progress({ progress: 0.9 });
        return end.promise;
      });
      here.left.work('image', takingOne(work), { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      await untilStatus(here.right, id, 'running');
      await here.expireLeases();
      here.right.work('image', work, { concurrency: 1 });
      await until(here.right, id, (job) => job.attempt === 2);
      tell?.();
      // Writes of one process are in order: what comes back from a later one has seen it.
      await here.left.cancel((await here.left.add(aJob({ lane: 'video' }))).id);
      expect(await here.right.get(id)).toMatchObject({ status: 'running', attempt: 2, progress: 0 });
      end.resolve(aResult());
      await untilStatus(here.right, id, 'succeeded');
    });

    it('tells the one who lost the lease', async () => {
      const reasons: unknown[] = [];
      const work = handler(async (job, context) => {
        context.signal.addEventListener('abort', () => reasons.push(context.signal.reason));
        return untilAborted(job, context);
      });
      here.left.work('image', takingOne(work), { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      await untilStatus(here.right, id, 'running');
      await here.expireLeases();
      here.right.work('image', handler(), { concurrency: 1 });
      await untilStatus(here.right, id, 'succeeded');
      await eventually(() => reasons.length > 0);
      expect(reasons).toMatchObject([{ why: 'lease_lost' }]);
      expect(work.ended).toEqual([]);
    });

    it('gives up a job under which its processes keep dying', async () => {
      const work = handler(untilAborted);
      here.left.work('image', work, { concurrency: 1 });
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      for (const attempt of [1, 2, 3]) {
        await until(here.left, id, (job) => job.status === 'running' && job.attempt === attempt);
        await here.expireLeases();
      }
      expect(await untilStatus(here.right, id, 'failed')).toMatchObject({
        attempt: 3,
        problem: { code: 'attempts_exhausted' },
      });
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'failed' }]);
      expect(work.started).toHaveLength(3);
    });

    it('gives the jobs of a dead owner back at once', async () => {
      // The dead one is not really dead here: whoever takes the second attempt, it ends.
      const work = handler((job, context) => (job.attempt === 1 ? untilAborted(job, context) : aResult()));
      here.left.work('image', work, { concurrency: 2 });
      const jobs = await Promise.all([here.right.add(aJob()), here.right.add(aJob())]);
      for (const { id } of jobs) await untilStatus(here.right, id, 'running');
      here.right.work('image', work, { concurrency: 2 });
      const third = await here.connect('third');
      await third.abandon('nobody');
      expect(await third.counts()).toMatchObject({ running: 2 });
      await third.abandon('left');
      for (const { id } of jobs) {
        expect(await untilStatus(third, id, 'succeeded')).toMatchObject({ attempt: 2 });
      }
    });
  });
}
