// How a queue moves a job to another lane when its handler says that it belongs there.

import { describe, expect, it } from 'vitest';
import { Reroute } from '../../src/contracts.ts';
import type { JobResult } from '../../src/contracts.ts';
import type { Job, NewJob } from '../../src/jobs/job.ts';
import {
  aJob,
  aResult,
  eventsUntil,
  eventually,
  filling,
  handler,
  takingOne,
  until,
  untilAborted,
  untilStatus,
} from './queue-jobs.ts';
import type { RecordingHandler } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

const isMoved = (job: Job): boolean => job.lane === 'film' && job.status === 'queued';

/** A job of the first lane; its handler takes those with a mark for long ones. */
function aVideo(long: boolean, changes: Partial<NewJob> = {}): NewJob {
  return aJob({ lane: 'video', metadata: long ? { long: 'yes' } : {}, ...changes });
}

/** Moves long ones, ends the others. */
function sorting(): RecordingHandler {
  return handler((job, context) => {
    if (job.metadata['long'] === undefined) return aResult('short');
    context.progress({ progress: 0.5, speed: 2, source: { width: 640, durationSeconds: 7200 } });
    throw new Reroute('film');
  });
}

export function moving(here: Sides): void {
  describe('moving', () => {
    it('runs the job in the other lane, its attempt not spent, and keeps what was found out', async () => {
      const [sort, films] = [sorting(), handler(() => aResult('film'))];
      here.left.work('video', sort, { concurrency: 1 });
      const { id } = await here.left.add(aVideo(true));
      // It waits there until someone works on that lane, as any new one would.
      expect(await until(here.right, id, isMoved)).toMatchObject({
        attempt: 0,
        phase: 'waiting',
        progress: 0,
        speed: null,
        problem: null,
        source: { width: 640, durationSeconds: 7200, bytes: 1234 },
      });
      here.left.work('film', films, { concurrency: 1 });
      const done = await untilStatus(here.right, id, 'succeeded');
      expect(done).toMatchObject({ lane: 'film', attempt: 1, results: { small: { key: 'film' } } });
      await eventually(() => films.ended.length > 0);
      expect(films.started).toMatchObject([{ id, lane: 'film', attempt: 1, source: { width: 640 } }]);
      expect(sort.started).toMatchObject([{ id, lane: 'video', attempt: 1 }]);
      expect([sort.ended, sort.discarded, films.ended]).toEqual([[], [], [done]]);
      const events = await eventsUntil(here.right, { after: 0 }, ({ type }) => type === 'succeeded');
      expect(events.map(({ type }) => type).filter((type) => type !== 'progress')).toEqual([
        'queued',
        'started',
        'queued',
        'started',
        'output',
        'succeeded',
      ]);
    });

    it('gives the job to another process, and its place to the next one', async () => {
      const [sort, films] = [sorting(), handler()];
      here.left.work('video', sort, { concurrency: 1 });
      here.right.work('film', films, { concurrency: 1 });
      const long = await here.left.add(aVideo(true));
      const short = await here.right.add(aVideo(false));
      expect(await untilStatus(here.left, long.id, 'succeeded')).toMatchObject({ lane: 'film', attempt: 1 });
      expect(await untilStatus(here.right, short.id, 'succeeded')).toMatchObject({ lane: 'video' });
      expect(sort.started.map((job) => job.id)).toEqual([long.id, short.id]);
      expect(films.started.map((job) => job.id)).toEqual([long.id]);
    });

    it('never runs more of the other lane than allowed, all processes together', async () => {
      const { work: films, most } = filling(2);
      const jobs = await Promise.all(Array.from({ length: 20 }, () => here.left.add(aVideo(true))));
      for (const queue of [here.left, here.right]) {
        queue.work('video', sorting(), { concurrency: 3 });
        queue.work('film', films, { concurrency: 2 });
      }
      for (const { id } of jobs) {
        expect(await untilStatus(here.left, id, 'succeeded')).toMatchObject({ attempt: 1 });
      }
      expect(most()).toBe(2);
      expect(films.started).toHaveLength(20);
    });

    it('keeps no short one waiting behind films that run or wait', async () => {
      const end = Promise.withResolvers<JobResult>();
      const films = handler(() => end.promise);
      here.left.work('video', sorting(), { concurrency: 1 });
      here.left.work('film', films, { concurrency: 1 });
      const [first, second] = [await here.left.add(aVideo(true)), await here.left.add(aVideo(true))];
      await until(here.right, first.id, (job) => job.lane === 'film' && job.status === 'running');
      await until(here.right, second.id, isMoved);
      const short = await here.right.add(aVideo(false));
      await untilStatus(here.right, short.id, 'succeeded');
      expect(await here.right.get(first.id)).toMatchObject({ status: 'running' });
      expect(await here.right.get(second.id)).toMatchObject({ status: 'queued' });
      end.resolve(aResult());
      await untilStatus(here.right, second.id, 'succeeded');
    });

    it('keeps the order: the highest priority first, then the one that came first', async () => {
      const [a, b, c, d] = [
        aVideo(true),
        aVideo(true, { priority: 1 }),
        aVideo(true, { priority: -1 }),
        aVideo(true, { priority: 1 }),
      ];
      const sort = sorting();
      here.left.work('video', sort, { concurrency: 1 });
      for (const job of [a, b, c, d]) {
        await here.left.add(job);
        await until(here.left, job.id, isMoved);
      }
      expect(sort.started.map((job) => job.id)).toEqual([a.id, b.id, c.id, d.id]);
      const films = handler();
      here.right.work('film', films, { concurrency: 1 });
      await untilStatus(here.left, c.id, 'succeeded');
      expect(films.started.map((job) => job.id)).toEqual([b.id, d.id, a.id, c.id]);
    });

    it('lets a moved job be cancelled at once while it waits', async () => {
      const end = Promise.withResolvers<JobResult>();
      const films = handler(() => end.promise);
      here.left.work('video', sorting(), { concurrency: 1 });
      here.right.work('film', films, { concurrency: 1 });
      const running = await here.left.add(aVideo(true));
      await until(here.left, running.id, (job) => job.lane === 'film' && job.status === 'running');
      const waiting = await here.left.add(aVideo(true));
      await until(here.left, waiting.id, isMoved);
      expect(await here.right.cancel(waiting.id)).toMatchObject({ status: 'cancelled', lane: 'film' });
      await eventually(() => films.ended.length > 0);
      expect(films.ended).toMatchObject([{ id: waiting.id, status: 'cancelled', attempt: 0 }]);
      end.resolve(aResult());
      await untilStatus(here.left, running.id, 'succeeded');
      expect(films.started.map((job) => job.id)).toEqual([running.id]);
    });

    it('ends a job that was asked to be cancelled, instead of moving it', async () => {
      const go = Promise.withResolvers<void>();
      const work = handler(async () => {
        await go.promise;
        throw new Reroute('film');
      });
      const films = handler();
      here.right.work('video', work, { concurrency: 1 });
      here.right.work('film', films, { concurrency: 1 });
      const { id } = await here.left.add(aVideo(true));
      await untilStatus(here.left, id, 'running');
      await here.left.cancel(id);
      go.resolve();
      expect(await untilStatus(here.left, id, 'cancelled')).toMatchObject({ lane: 'video', attempt: 1 });
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'cancelled' }]);
      expect(films.started).toEqual([]);
    });

    it('lets nobody move a job whose lease was lost', async () => {
      const wake = Promise.withResolvers<void>();
      const sleeper = handler(async () => {
        await wake.promise;
        throw new Reroute('film');
      });
      here.left.work('video', takingOne(sleeper), { concurrency: 1 });
      const { id } = await here.right.add(aVideo(true));
      await untilStatus(here.right, id, 'running');
      await here.expireLeases();
      const end = Promise.withResolvers<JobResult>();
      here.right.work(
        'video',
        handler(() => end.promise),
        { concurrency: 1 },
      );
      await until(here.right, id, (job) => job.attempt === 2);
      wake.resolve();
      // Whatever the sleeper would write is written before what its process ends with.
      await here.left.close();
      expect(await here.right.get(id)).toMatchObject({ status: 'running', lane: 'video', attempt: 2 });
      end.resolve(aResult());
      expect(await untilStatus(here.right, id, 'succeeded')).toMatchObject({ lane: 'video', attempt: 2 });
    });

    it('leaves a moved job in its lane when its process dies', async () => {
      const films = handler((job, context) => (job.attempt === 1 ? untilAborted(job, context) : aResult()));
      const sort = sorting();
      here.left.work('video', sort, { concurrency: 1 });
      here.left.work('film', films, { concurrency: 1 });
      const { id } = await here.right.add(aVideo(true));
      await until(here.right, id, (job) => job.lane === 'film' && job.status === 'running');
      here.right.work('film', films, { concurrency: 1 });
      await here.right.abandon('left');
      expect(await untilStatus(here.right, id, 'succeeded')).toMatchObject({ lane: 'film', attempt: 2 });
      expect(sort.started).toHaveLength(1);
    });

    it('takes a move to where the job is for handing it back', async () => {
      let times = 0;
      const work = handler((job) => {
        if (++times === 1) throw new Reroute(job.lane);
        return aResult();
      });
      here.left.work('video', work, { concurrency: 1 });
      const { id } = await here.right.add(aVideo(false));
      expect(await untilStatus(here.right, id, 'succeeded')).toMatchObject({ lane: 'video', attempt: 1 });
      expect(work.started).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
    });
  });
}
