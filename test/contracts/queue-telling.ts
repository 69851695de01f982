// How a queue tells what happens to jobs.

import { describe, expect, it } from 'vitest';
import type { JobEvent } from '../../src/contracts.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult, eventsUntil, eventually, handler, until, untilStatus } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

export function telling(here: Sides): void {
  describe('telling', () => {
    it('tells events of all processes in one order, to each of them', async () => {
      const work = handler((job) => {
        if (job.attempt === 1) throw new Problem('internal_error', 'once more');
        return aResult();
      });
      const isLast = (event: JobEvent): boolean => event.type === 'removed';
      const live = Promise.all([eventsUntil(here.left, {}, isLast), eventsUntil(here.right, {}, isLast)]);
      await asked(here);
      const job = await here.left.add(aJob());
      here.right.work('image', work, { concurrency: 1 });
      await until(here.left, job.id, ({ status, attempt }) => status === 'queued' && attempt === 1);
      await here.backend.pass(60_000);
      await untilStatus(here.left, job.id, 'succeeded');
      const other = await here.right.add(aJob({ lane: 'video' }));
      await here.left.cancel(other.id);
      await here.left.remove(job.id);

      const [atLeft, atRight] = await live;
      expect(atLeft).toEqual(atRight);
      expect(atLeft.map(({ jobId, type }) => [jobId, type])).toEqual([
        [job.id, 'queued'],
        [job.id, 'started'],
        [job.id, 'retrying'],
        [job.id, 'started'],
        [job.id, 'output'],
        [job.id, 'succeeded'],
        [other.id, 'queued'],
        [other.id, 'cancelled'],
        [job.id, 'removed'],
      ]);
      const sequences = atLeft.map((event) => event.sequence);
      expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index));
      expect(await here.left.newestEvent()).toBe(sequences.at(-1));

      for (const after of [0, sequences[2] ?? 0, sequences[6] ?? 0]) {
        const rest = atLeft.filter((event) => event.sequence > after);
        expect(await eventsUntil(here.right, { after }, isLast)).toEqual(rest);
      }
    });

    it('loses and doubles none while both sides write', async () => {
      const count = 120;
      let seen = 0;
      const isLast = (): boolean => ++seen === count;
      const reading = eventsUntil(here.right, {}, isLast);
      await asked(here);
      const queues = [here.left, here.right];
      const jobs = await Promise.all(
        Array.from({ length: count }, (_, index) => (queues[index % 2] ?? here.left).add(aJob())),
      );
      const events = await reading;
      expect(events.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
    });

    it('tells those of one tenant, or of one job, and no others', async () => {
      const fromNow = eventsUntil(here.right, { of: { tenant: 'one' } }, ({ type }) => type === 'removed');
      await asked(here);
      const first = await here.left.add(aJob({ tenant: 'one' }));
      const ofFirst = eventsUntil(here.right, { of: { jobId: first.id } }, ({ type }) => type === 'removed');
      await asked(here);
      const second = await here.left.add(aJob({ tenant: 'two' }));
      const third = await here.left.add(aJob({ tenant: 'one' }));
      for (const { id } of [second, first, third]) await here.left.cancel(id);
      for (const { id } of [second, first]) await here.left.remove(id);
      const all = await eventsUntil(
        here.left,
        { after: 0 },
        (event) => event.type === 'removed' && event.jobId === first.id,
      );
      expect(all).toHaveLength(8);
      const ofOne = all.filter(({ tenant }) => tenant === 'one');
      const ofJob = all.filter(({ jobId }) => jobId === first.id);
      expect(await fromNow).toEqual(ofOne);
      expect(await ofFirst).toEqual(ofJob.slice(1));
      for (const queue of [here.left, here.right]) {
        for (const [index, { sequence }] of ofJob.entries()) {
          if (index === ofJob.length - 1) break;
          const [tenant, job] = [{ of: { tenant: 'one' } }, { of: { jobId: first.id } }].map((of) =>
            eventsUntil(queue, { after: sequence, ...of }, ({ type }) => type === 'removed'),
          );
          expect(await tenant).toEqual(ofOne.filter((event) => event.sequence > sequence));
          expect(await job).toEqual(ofJob.slice(index + 1));
        }
      }
    });

    it('knows how far a reader is: past what is not for it, not past what it is about to take', async () => {
      const stop = new AbortController();
      const events = here.right.events({ after: 0, of: { tenant: 'one' }, signal: stop.signal });
      expect(events.position).toBe(0);
      const reading = events[Symbol.asyncIterator]();
      await here.left.add(aJob({ tenant: 'two' }));
      await here.left.add(aJob({ tenant: 'one' }));
      await here.left.add(aJob({ tenant: 'one' }));
      expect((await reading.next()).value).toMatchObject({ sequence: 2 });
      expect(events.position).toBeLessThan(2);
      expect((await reading.next()).value).toMatchObject({ sequence: 3 });
      expect(events.position).toBe(2);
      const next = reading.next();
      const others = here.right.events({ after: 3, of: { tenant: 'two' }, signal: stop.signal });
      await here.left.add(aJob({ tenant: 'two' }));
      await others[Symbol.asyncIterator]().next();
      await eventually(() => events.position === 4);
      await here.left.add(aJob({ tenant: 'one' }));
      expect((await next).value).toMatchObject({ sequence: 5 });
      expect(events.position).toBe(4);
      stop.abort();
      expect(await reading.next()).toEqual({ done: true, value: undefined });
    });

    it('knows whether there is news of a job', async () => {
      const first = await here.left.add(aJob());
      const second = await here.left.add(aJob());
      await here.left.cancel(second.id);
      const news = async (id: string): Promise<boolean[]> =>
        Promise.all([0, 1, 2, 3, 4].map((after) => here.right.hasNews(id, after)));
      // 4 was never given: nobody knows what it means.
      expect(await news(first.id)).toEqual([true, false, false, false, true]);
      expect(await news(second.id)).toEqual([true, true, true, false, true]);
    });

    it('knows its newest event, and tells of what comes after it', async () => {
      expect(await here.left.newestEvent()).toBe(0);
      await here.left.add(aJob({ tenant: 'one' }));
      const newest = await here.right.newestEvent();
      const second = await here.left.add(aJob({ tenant: 'two' }));
      const [event] = await eventsUntil(here.right, { after: newest }, () => true);
      expect(event).toMatchObject({
        sequence: newest + 1,
        jobId: second.id,
        tenant: 'two',
        type: 'queued',
        at: second.createdAt,
      });
    });

    it('tells each finished output once, in its order, and the last ones before the end', async () => {
      const go = Promise.withResolvers<void>();
      const { small } = aResult().outputs;
      if (small === undefined) throw new Error('a result without an output');
      const [a, b, c] = ['a', 'b', 'c'].map((key) => ({ ...small, key })) as [
        typeof small,
        typeof small,
        typeof small,
      ];
      const work = handler(async (_, context) => {
        context.progress({ ready: { a } });
        context.progress({ progress: 0.5 });
        context.progress({ progress: 0.6, ready: { b } });
        await go.promise;
        // Told so late that it is written together with the end, and never told at all.
        context.progress({ ready: { b } });
        return { outputs: { a, b, c }, warnings: [] };
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      const half = await until(here.right, id, ({ ready = {} }) => 'b' in ready);
      expect(half).toMatchObject({ status: 'running', ready: { a, b }, results: {} });
      go.resolve();
      const events = await eventsUntil(here.right, { after: 0 }, ({ type }) => type === 'succeeded');
      expect(
        events.filter(({ type }) => type !== 'progress').map(({ type, output }) => [type, output]),
      ).toEqual([
        ['queued', undefined],
        ['started', undefined],
        ['output', 'a'],
        ['output', 'b'],
        ['output', 'c'],
        ['succeeded', undefined],
      ]);
      const done = await here.left.get(id);
      expect([done?.ready, done?.results]).toEqual([{}, { a, b, c }]);
    });

    it('takes back the outputs of an attempt that failed, and tells them anew', async () => {
      const { small } = aResult().outputs;
      if (small === undefined) throw new Error('a result without an output');
      const told = Promise.withResolvers<void>();
      const work = handler(async (job, context) => {
        context.progress({ ready: { small } });
        if (job.attempt === 2) return aResult();
        await told.promise;
        throw new Problem('encoder_killed', 'SIGKILL');
      });
      here.left.work('image', work, { concurrency: 1 });
      const { id } = await here.right.add(aJob());
      await until(here.right, id, ({ ready = {} }) => 'small' in ready);
      told.resolve();
      const waiting = await until(here.right, id, (job) => job.status === 'queued' && job.attempt === 1);
      expect(waiting?.ready).toEqual({});
      await here.backend.pass(60_000);
      await untilStatus(here.right, id, 'succeeded');
      const events = await eventsUntil(here.right, { after: 0 }, ({ type }) => type === 'succeeded');
      expect(events.map(({ type }) => type).filter((type) => type !== 'progress')).toEqual([
        'queued',
        'started',
        'output',
        'retrying',
        'started',
        'output',
        'succeeded',
      ]);
    });

    it('begins with now where nothing is said, and where the number was never given', async () => {
      await here.left.add(aJob());
      const [fresh, stale] = [{}, { after: 1_000_000_000 }].map((options) =>
        eventsUntil(here.right, options, () => true),
      );
      await asked(here);
      const second = await here.left.add(aJob());
      expect(await fresh).toMatchObject([{ jobId: second.id }]);
      expect(await stale).toMatchObject([{ jobId: second.id }]);
    });

    it('ends an iteration with its signal', async () => {
      const stop = new AbortController();
      const iteration = here.left.events({ signal: stop.signal })[Symbol.asyncIterator]();
      const next = iteration.next();
      stop.abort();
      expect(await next).toEqual({ done: true, value: undefined });
    });

    it('wakes who waits for the end of a job in another process', async () => {
      const signal = AbortSignal.timeout(20_000);
      const job = await here.left.add(aJob());
      const waiting = here.right.finished(job.id, signal);
      await here.left.cancel((await here.left.add(aJob())).id);
      await here.left.cancel(job.id);
      expect(await waiting).toMatchObject({ id: job.id, status: 'cancelled' });
      // It has ended: at once.
      expect(await here.right.finished(job.id, signal)).toMatchObject({ status: 'cancelled' });

      const removed = await here.left.add(aJob());
      const gone = here.right.finished(removed.id, signal);
      await here.left.remove(removed.id);
      expect(await gone).toBeUndefined();
    });

    it('does not answer who waits for the end while a job only goes on', async () => {
      const stop = new AbortController();
      const { id } = await here.left.add(aJob());
      const waiting = here.right.finished(id, stop.signal);
      const gate = Promise.withResolvers<void>();
      const work = handler(async (_job, { progress }) => {
        progress({ progress: 0.5 });
        await gate.promise;
        return aResult();
      });
      here.left.work('image', work, { concurrency: 1 });
      const before = await until(here.right, id, ({ progress }) => progress === 0.5);
      expect(await Promise.race([waiting, Promise.resolve('still waits')])).toBe('still waits');
      gate.resolve();
      expect((await waiting)?.revision).toBeGreaterThan(before?.revision ?? 0);
      expect(await waiting).toMatchObject({ status: 'succeeded' });
    });

    it('answers the job as it is when the wait is given up', async () => {
      const job = await here.left.add(aJob());
      const stop = new AbortController();
      const waiting = here.right.finished(job.id, stop.signal);
      stop.abort();
      expect(await waiting).toEqual(job);
      expect(await here.right.finished(job.id, stop.signal)).toEqual(job);
    });
  });
}

/** Resolves once all that the queues were asked so far is done: events "from now on" begin before what follows. */
async function asked(here: Sides): Promise<void> {
  await Promise.all([here.left.newestEvent(), here.right.newestEvent()]);
}
