// How jobs of a queue are cancelled and removed, and how a queue closes.

import { describe, expect, it } from 'vitest';
import { JobAborted } from '../../src/contracts.ts';
import type { JobResult } from '../../src/contracts.ts';
import { aJob, aResult, eventually, handler, untilAborted, untilStatus } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

export function ending(here: Sides): void {
  describe('cancelling', () => {
    it('ends a waiting job at once', async () => {
      const work = handler();
      here.left.work('video', work, { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      const cancelled = await here.right.cancel(id);
      expect(cancelled).toMatchObject({ status: 'cancelled', finishedAt: expect.any(Number) });
      expect(await here.left.cancel(id)).toEqual(cancelled);
      here.right.work('image', work, { concurrency: 1 });
      const next = await here.left.add(aJob());
      await untilStatus(here.left, next.id, 'succeeded');
      expect(work.started.map((job) => job.id)).toEqual([next.id]);
    });

    it('tells the handler of a waiting job that it is over', async () => {
      const work = handler(untilAborted);
      here.right.work('image', work, { concurrency: 1 });
      await untilStatus(here.right, (await here.right.add(aJob())).id, 'running');
      const { id } = await here.right.add(aJob());
      await here.right.cancel(id);
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'cancelled', attempt: 0 }]);
    });

    it('reaches a running job in another process', async () => {
      const stopped: unknown[] = [];
      const work = handler(async (job, context) => {
        context.signal.addEventListener('abort', () => stopped.push(context.signal.reason));
        return untilAborted(job, context);
      });
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await untilStatus(here.left, id, 'running');
      expect(await here.left.cancel(id)).toMatchObject({ status: 'running', cancelRequested: true });
      expect(await untilStatus(here.left, id, 'cancelled')).toMatchObject({ attempt: 1, problem: null });
      expect(stopped).toMatchObject([{ why: 'cancelled' }]);
      expect(stopped[0]).toBeInstanceOf(JobAborted);
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'cancelled' }]);
    });

    it('holds even if the work ends in the same moment: its result is discarded', async () => {
      const go = Promise.withResolvers<void>();
      const work = handler(async () => {
        await go.promise;
        return aResult();
      });
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await untilStatus(here.left, id, 'running');
      await here.left.cancel(id);
      go.resolve();
      expect(await untilStatus(here.left, id, 'cancelled')).toMatchObject({ results: {} });
      await eventually(() => work.discarded.length > 0 && work.ended.length > 0);
      expect(work.discarded).toMatchObject([{ id, attempt: 1 }]);
    });

    it('ends a job whose owner died before it could obey', async () => {
      const end = Promise.withResolvers<JobResult>();
      here.left.work(
        'image',
        handler(() => end.promise),
        { concurrency: 1 },
      );
      const { id } = await here.right.add(aJob());
      await untilStatus(here.right, id, 'running');
      await here.right.cancel(id);
      const work = handler();
      here.right.work('image', work, { concurrency: 1 });
      await here.right.abandon('left');
      expect(await untilStatus(here.right, id, 'cancelled')).toMatchObject({ attempt: 1 });
      expect(work.started).toEqual([]);
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'cancelled' }]);
      end.resolve(aResult());
    });
  });

  describe('removing', () => {
    it('forgets a waiting and a finished job', async () => {
      const waiting = await here.left.add(aJob({ idempotencyKey: 'again' }));
      expect(await here.right.remove(waiting.id)).toMatchObject({ id: waiting.id, status: 'cancelled' });
      expect(await here.left.get(waiting.id)).toBeUndefined();
      expect((await here.left.list({ limit: 10 })).items).toEqual([]);
      // With the job, its key is forgotten.
      const finished = await here.left.add(aJob({ idempotencyKey: 'again' }));
      await here.left.cancel(finished.id);
      expect(await here.right.remove(finished.id)).toMatchObject({ id: finished.id });
      expect(await here.left.counts()).toMatchObject({ queued: 0, cancelled: 0 });
    });

    it('tells the handler of a waiting job that it is over', async () => {
      const work = handler(untilAborted);
      here.right.work('image', work, { concurrency: 1 });
      await untilStatus(here.right, (await here.right.add(aJob())).id, 'running');
      const { id } = await here.right.add(aJob());
      await here.right.remove(id);
      await eventually(() => work.ended.length > 0);
      expect(work.ended).toMatchObject([{ id, status: 'cancelled' }]);
    });

    it('stops a running job and drops what it made', async () => {
      const finish = Promise.withResolvers<void>();
      const reasons: unknown[] = [];
      const work = handler(async (_, { signal }) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          finish.resolve();
        });
        await finish.promise;
        return aResult();
      });
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await untilStatus(here.left, id, 'running');
      expect(await here.left.remove(id)).toMatchObject({ id, attempt: 1 });
      await eventually(() => work.discarded.length > 0 && work.ended.length > 0);
      expect(reasons).toHaveLength(1);
      expect(reasons[0]).toBeInstanceOf(JobAborted);
      expect(work.discarded).toMatchObject([{ id, attempt: 1 }]);
      expect(work.ended).toMatchObject([{ id }]);
      expect(await here.right.get(id)).toBeUndefined();
      // Its place is free again.
      const next = await here.left.add(aJob());
      await untilStatus(here.left, next.id, 'succeeded');
    });
  });

  describe('closing', () => {
    it('hands running jobs back without spending their attempt', async () => {
      const reasons: unknown[] = [];
      const work = handler(async (job, context) => {
        context.signal.addEventListener('abort', () => reasons.push(context.signal.reason));
        return untilAborted(job, context);
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      await untilStatus(here.right, id, 'running');
      await eventually(() => work.started.length > 0);
      await here.left.close();
      expect(reasons).toMatchObject([{ why: 'handed_back' }]);
      expect(await here.right.get(id)).toMatchObject({ status: 'queued', attempt: 0 });
      expect([work.discarded, work.ended]).toEqual([[], []]);
      here.right.work('image', handler(), { concurrency: 1 });
      expect(await untilStatus(here.right, id, 'succeeded')).toMatchObject({ attempt: 1 });
    });

    it('lets running jobs end before the deadline, and takes no more', async () => {
      const go = Promise.withResolvers<void>();
      const work = handler(async () => {
        await go.promise;
        return aResult();
      });
      here.left.work('image', work, { concurrency: 1 });
      const running = await here.right.add(aJob());
      const waiting = await here.right.add(aJob());
      await untilStatus(here.right, running.id, 'running');
      await eventually(() => work.started.length > 0);
      const closing = here.left.close({ deadline: here.backend.now() + 1e12 });
      go.resolve();
      await closing;
      expect(await here.right.get(running.id)).toMatchObject({ status: 'succeeded' });
      expect(await here.right.get(waiting.id)).toMatchObject({ status: 'queued' });
      expect(work.ended).toHaveLength(1);
    });

    it('may be asked twice, and answers nothing afterwards', async () => {
      const { id } = await here.left.add(aJob());
      await Promise.all([here.left.close(), here.left.close()]);
      await here.left.close();
      await expect(here.left.add(aJob())).rejects.toMatchObject({ code: 'shutting_down' });
      await expect(here.left.get(id)).rejects.toMatchObject({ code: 'shutting_down' });
      expect(await here.right.get(id)).toMatchObject({ id });
    });

    it('ends all waiting', async () => {
      const job = await here.left.add(aJob());
      const signal = AbortSignal.timeout(20_000);
      const events = here.left.events({ signal })[Symbol.asyncIterator]();
      const waiting = [events.next(), here.left.finished(job.id, signal)];
      await here.left.close();
      expect(await Promise.all(waiting)).toEqual([{ done: true, value: undefined }, job]);
      expect(signal.aborted).toBe(false);
    });
  });
}
