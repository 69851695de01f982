// What becomes of a job that nothing can be done for at present: its store is away, its machine has no room.

import { describe, expect, it } from 'vitest';
import { Problem } from '../../src/problems.ts';
import type { ProblemCode } from '../../src/problems.ts';
import { aJob, aResult, eventsUntil, eventually, handler, until, untilStatus } from './queue-jobs.ts';
import type { RecordingHandler } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';

const DAY = 86_400_000;

/** Fails so many times with a problem that passes. */
function hindered(code: ProblemCode, times: number): RecordingHandler {
  let left = times;
  return handler(() => {
    if (left-- > 0) throw new Problem(code, 'in the way');
    return aResult();
  });
}

export function waiting(here: Sides): void {
  describe('a job that nothing can be done for', () => {
    it.each(['backend_unavailable', 'storage_full'] as const)(
      'waits with a pause, its attempt not spent, however often: %s',
      async (code) => {
        const work = hindered(code, 5);
        here.right.work('image', work, { concurrency: 1 });
        const { id } = await here.left.add(aJob());
        for (let times = 1; times <= 5; times++) {
          const job = await until(here.left, id, ({ setbacks }) => setbacks?.times === times);
          expect(job).toMatchObject({ status: 'queued', phase: 'waiting', attempt: 0, problem: null });
          expect(work.started).toHaveLength(times);
          await here.backend.pass(60_000);
        }
        expect(await untilStatus(here.left, id, 'succeeded')).toMatchObject({ attempt: 1 });
        expect(work.started.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1]);
        await eventually(() => work.ended.length === 1);
        const events = await eventsUntil(here.left, { after: 0 }, ({ type }) => type === 'succeeded');
        const types = events.map(({ type }) => type);
        expect(types.filter((type) => type === 'queued')).toHaveLength(6);
        expect(types).not.toContain('retrying');
      },
    );

    it('lets others go first meanwhile', async () => {
      here.right.work('image', hindered('backend_unavailable', 1), { concurrency: 1 });
      const first = await here.left.add(aJob());
      await until(here.left, first.id, ({ setbacks }) => setbacks !== undefined);
      const other = await here.left.add(aJob());
      await untilStatus(here.left, other.id, 'succeeded');
      expect(await here.left.get(first.id)).toMatchObject({ status: 'queued', attempt: 0 });
    });

    it('fails with what was in its way when that has lasted for a day', async () => {
      const work = hindered('storage_full', 9);
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await until(here.left, id, ({ setbacks }) => setbacks?.times === 1);
      await here.backend.pass(DAY);
      const job = await untilStatus(here.left, id, 'failed');
      expect(job).toMatchObject({ attempt: 1, problem: { code: 'storage_full' } });
      await eventually(() => work.ended.length === 1);
      expect(work.started).toHaveLength(2);
    });

    it('is cancelled like any other that waits', async () => {
      const work = hindered('storage_full', 9);
      here.right.work('image', work, { concurrency: 1 });
      const { id } = await here.left.add(aJob());
      await until(here.left, id, ({ setbacks }) => setbacks?.times === 1);
      expect(await here.left.cancel(id)).toMatchObject({ status: 'cancelled', attempt: 0 });
    });

    it('is not taken by a handler that can do nothing, but by another one', async () => {
      const [idle, busy] = [handler(), handler()];
      const asked = Promise.withResolvers<void>();
      const able = async (): Promise<boolean> => {
        asked.resolve();
        return false;
      };
      here.left.work('image', { ...idle, able }, { concurrency: 1 });
      await asked.promise;
      const { id } = await here.left.add(aJob());
      here.right.work('image', { ...busy, able: async () => true }, { concurrency: 1 });
      await untilStatus(here.left, id, 'succeeded');
      expect([idle.started.length, busy.started.length]).toEqual([0, 1]);
    });
  });
}
