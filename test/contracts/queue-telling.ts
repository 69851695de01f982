// How a queue tells what happens to jobs.

import { describe, expect, it } from 'vitest';
import type { JobEvent } from '../../src/contracts.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, aResult, eventsUntil, handler, until, untilStatus } from './queue-jobs.ts';
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
        [job.id, 'succeeded'],
        [other.id, 'queued'],
        [other.id, 'cancelled'],
        [job.id, 'removed'],
      ]);
      const sequences = atLeft.map((event) => event.sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
      expect(new Set(sequences).size).toBe(sequences.length);

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
      const queues = [here.left, here.right];
      const jobs = await Promise.all(
        Array.from({ length: count }, (_, index) => (queues[index % 2] ?? here.left).add(aJob())),
      );
      const events = await reading;
      expect(events.map(({ jobId }) => jobId).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
    });

    it('begins with now where nothing is said, and where the number was never given', async () => {
      await here.left.add(aJob());
      const [fresh, stale] = [{}, { after: 1_000_000_000 }].map((options) =>
        eventsUntil(here.right, options, () => true),
      );
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

    it('wakes who waits for a change in another process', async () => {
      const signal = AbortSignal.timeout(20_000);
      const job = await here.left.add(aJob());
      // Known to be newer: at once.
      expect(await here.right.changed(job.id, 0, signal)).toEqual(job);
      const waiting = here.right.changed(job.id, job.revision, signal);
      await here.left.add(aJob());
      await here.left.cancel(job.id);
      expect(await waiting).toMatchObject({ id: job.id, status: 'cancelled' });

      const gone = here.right.changed(job.id, 1000, signal);
      await here.left.remove(job.id);
      expect(await gone).toBeUndefined();
    });

    it('answers the job as it is when the wait is given up', async () => {
      const job = await here.left.add(aJob());
      const stop = new AbortController();
      const waiting = here.right.changed(job.id, job.revision, stop.signal);
      stop.abort();
      expect(await waiting).toEqual(job);
      expect(await here.right.changed(job.id, job.revision, stop.signal)).toEqual(job);
    });
  });
}
