// How a queue hands out jobs, and what failures and progress make of them.

import { describe, expect, it } from 'vitest';
import type { Job } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';
import {
  aJob,
  aResult,
  eventsUntil,
  eventually,
  filling,
  handler,
  until,
  untilStatus,
} from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

export function working(here: Sides): void {
  describe('working', () => {
    it('runs a job that was added elsewhere, and tells its handler when it is over', async () => {
      const work = handler((job) => aResult(`made in attempt ${job.attempt}`));
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      const job = await untilStatus(here.left, id, 'succeeded');
      expect(job).toMatchObject({
        attempt: 1,
        progress: 1,
        phase: 'done',
        problem: null,
        results: { small: { key: 'made in attempt 1' } },
      });
      await eventually(() => work.ended.length > 0);
      expect(work.started).toMatchObject([{ id, status: 'running', attempt: 1 }]);
      expect(work.ended).toEqual([job]);
      expect(work.discarded).toEqual([]);
      expect(await here.right.counts()).toEqual({
        queued: 0,
        running: 0,
        succeeded: 1,
        failed: 0,
        cancelled: 0,
      });
    });

    it('takes the highest priority first, then the one that came first', async () => {
      const [a, b, c, d] = [aJob(), aJob({ priority: 1 }), aJob({ priority: -1 }), aJob({ priority: 1 })];
      for (const job of [a, b, c, d]) await here.left.add(job);
      const work = handler();
      here.right.work('image', work, { concurrency: 1 });
      await untilStatus(here.left, c.id, 'succeeded');
      expect(work.started.map((job) => job.id)).toEqual([b.id, d.id, a.id, c.id]);
    });

    it('keeps lanes apart', async () => {
      const image = await here.left.add(aJob());
      const video = await here.left.add(aJob({ lane: 'video' }));
      const work = handler();
      here.left.work('video', work, { concurrency: 1 });
      await untilStatus(here.left, video.id, 'succeeded');
      expect(await here.left.get(image.id)).toMatchObject({ status: 'queued' });
      expect(work.started.map((job) => job.id)).toEqual([video.id]);
    });

    it('never runs more of a lane at once than allowed, all processes together', async () => {
      const { work, most } = filling(3);
      const jobs = await Promise.all(Array.from({ length: 40 }, () => here.left.add(aJob())));
      here.left.work('image', work, { concurrency: 3 });
      here.right.work('image', work, { concurrency: 3 });
      for (const { id } of jobs) await untilStatus(here.left, id, 'succeeded');
      expect(most()).toBe(3);
    });

    it('runs each of hundreds of jobs once, in two processes', async () => {
      const [leftWork, rightWork] = [handler(), handler()];
      here.left.work('image', leftWork, { concurrency: 8 });
      here.right.work('image', rightWork, { concurrency: 8 });
      const queues = [here.left, here.right];
      const jobs = await Promise.all(
        Array.from({ length: 300 }, (_, index) => (queues[index % 2] ?? here.left).add(aJob())),
      );
      for (const { id } of jobs) await untilStatus(here.left, id, 'succeeded');
      const ran = [...leftWork.started, ...rightWork.started].map((job) => job.id);
      expect(ran.toSorted()).toEqual(jobs.map((job) => job.id).toSorted());
      // Both took part: neither side starves the other.
      expect(Math.min(leftWork.started.length, rightWork.started.length)).toBeGreaterThan(0);
    });
  });

  describe('failing', () => {
    it('tries again after a pause where the problem may pass', async () => {
      const first = aJob();
      const work = handler((job) => {
        if (job.id === first.id && job.attempt === 1) throw new Problem('encoder_killed', 'SIGKILL');
        return aResult();
      });
      await here.left.add(first);
      here.right.work('image', work, { concurrency: 1 });
      const retrying = await until(
        here.left,
        first.id,
        (job) => job.status === 'queued' && job.attempt === 1,
      );
      expect(retrying).toMatchObject({ phase: 'waiting', problem: null });
      // It is the oldest, and the only place is free: still the pause lets another one go first.
      const other = await here.left.add(aJob());
      await untilStatus(here.left, other.id, 'succeeded');
      expect(await here.left.get(first.id)).toMatchObject({ status: 'queued', attempt: 1 });
      await here.backend.pass(60_000);
      expect(await untilStatus(here.left, first.id, 'succeeded')).toMatchObject({ attempt: 2 });
      await eventually(() => work.ended.length === 2);
      expect(work.ended.map((job) => job.id)).toEqual([other.id, first.id]);
    });

    it('fails at once where trying again is no use', async () => {
      const work = handler(() => {
        throw new Problem('image_unreadable', 'The file breaks off.');
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      expect(await untilStatus(here.right, id, 'failed')).toMatchObject({
        attempt: 1,
        problem: { code: 'image_unreadable', status: 422, detail: 'The file breaks off.' },
        expiresAt: expect.any(Number),
      });
      await eventually(() => work.ended.length === 1);
      expect(work.discarded).toEqual([]);
    });

    it('takes any other error for ours, and gives up after the last attempt', async () => {
      const work = handler(() => {
        throw new TypeError('secret /path/of/ours');
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      for (const attempt of [1, 2]) {
        await until(here.left, id, (job) => job.status === 'queued' && job.attempt === attempt);
        await here.backend.pass(60_000);
      }
      const job = await untilStatus(here.right, id, 'failed');
      expect(job).toMatchObject({ attempt: 3, problem: { code: 'internal_error' } });
      expect(JSON.stringify(job)).not.toContain('secret');
      expect(work.started).toHaveLength(3);
    });
  });

  describe('progress', () => {
    it('is seen elsewhere, never goes backwards and keeps what was found out about the source', async () => {
      const go = Promise.withResolvers<void>();
      const work = handler(async (_, context) => {
        context.progress({ progress: 0.4, speed: 2, etaSeconds: 3, source: { width: 640, height: 480 } });
        await go.promise;
        context.progress({ progress: 0.2, speed: Number.NaN, etaSeconds: null });
        context.progress({ progress: Number.NaN, source: { durationSeconds: 1.5 } });
        return aResult();
      });
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      const seen: Job[] = [];
      expect(await until(here.left, id, (job) => seen.push(job) > 0 && job.progress > 0)).toMatchObject({
        status: 'running',
        progress: 0.4,
        speed: 2,
        etaSeconds: 3,
        source: { width: 640, height: 480, durationSeconds: null, bytes: 1234 },
      });
      go.resolve();
      const done = await until(here.left, id, (job) => seen.push(job) > 0 && job.status === 'succeeded');
      expect(done).toMatchObject({ progress: 1, source: { width: 640, durationSeconds: 1.5 } });
      const shown = seen.map((job) => job.progress);
      expect(shown).toEqual(shown.toSorted((a, b) => a - b));
      const revisions = seen.map((job) => job.revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    });

    it('is throttled, and the last word is not lost', async () => {
      const stop = Promise.withResolvers<void>();
      const work = handler(async (_, context) => {
        for (let i = 1; i <= 1000; i++) context.progress({ progress: i / 2000 });
        await stop.promise;
        return aResult();
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await until(here.right, id, (job) => job.progress === 0.5);
      stop.resolve();
      const events = await eventsUntil(here.right, { after: 0 }, (event) => event.type === 'succeeded');
      expect(events.filter(({ type }) => type === 'progress')).toHaveLength(2);
    });

    it('does not bring a finished job back', async () => {
      let tell: ((update: { progress: number }) => void) | undefined;
      const work = handler((_, context) => {
        tell = (update) => context.progress(update);
        return aResult();
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      const done = await untilStatus(here.left, id, 'succeeded');
      tell?.({ progress: 0.1 });
      const other = await here.left.add(aJob());
      await untilStatus(here.left, other.id, 'succeeded');
      expect(await here.right.get(id)).toEqual(done);
    });
  });
}
