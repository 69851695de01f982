// What a queue keeps, and how it is found again.

import { describe, expect, it } from 'vitest';
import type { Job } from '../../src/jobs/job.ts';
import { Problem } from '../../src/problems.ts';
import { aJob, handler, untilAborted, untilStatus } from './queue-jobs.ts';
import type { Sides } from './queue-sides.ts';
import { TTL_SECONDS } from './queue-sides.ts';

export function storing(here: Sides): void {
  describe('storing', () => {
    it('keeps a job when every process is gone', async () => {
      const added = await here.left.add(aJob({ priority: 5, metadata: { order: '17' } }));
      expect(added).toMatchObject({
        status: 'queued',
        attempt: 0,
        priority: 5,
        metadata: { order: '17' },
      });
      await Promise.all([here.left.close(), here.right.close()]);
      const later = await here.connect('later');
      expect(await later.get(added.id)).toEqual(added);
      expect(await later.counts()).toMatchObject({ queued: 1 });
    });

    it('answers undefined for what it does not know', async () => {
      const { id } = aJob();
      expect(await here.left.get(id)).toBeUndefined();
      expect(await here.left.cancel(id)).toBeUndefined();
      expect(await here.left.remove(id)).toBeUndefined();
      expect(await here.left.finished(id, AbortSignal.timeout(20_000))).toBeUndefined();
    });

    it('answers the stored job for a known idempotency key, from whichever process', async () => {
      const first = await here.left.add(aJob({ idempotencyKey: 'once' }));
      const again = await here.right.add(aJob({ idempotencyKey: 'once' }));
      expect(await here.right.made('once')).toMatchObject({ id: first.id });
      expect(await here.right.made('never')).toBeUndefined();
      expect(again).toEqual(first);
      const racing = await Promise.all(
        [here.left, here.right, here.left, here.right].map((queue) =>
          queue.add(aJob({ idempotencyKey: 'race' })),
        ),
      );
      expect(new Set(racing.map((job) => job.id)).size).toBe(1);
      expect(await here.right.counts()).toMatchObject({ queued: 2 });
    });

    it('refuses jobs past the bound, and takes them again when there is room', async () => {
      const small = await here.connect('small', { maxWaiting: 3 });
      const added = await Promise.all([1, 2, 3].map(() => small.add(aJob({ idempotencyKey: newKey() }))));
      await expect(small.add(aJob())).rejects.toMatchObject({ code: 'overloaded', status: 503 });
      await here.right.cancel(added[0]?.id ?? '');
      const last = aJob({ idempotencyKey: 'last' });
      await small.add(last);
      await expect(small.add(aJob())).rejects.toBeInstanceOf(Problem);
      expect(await small.add({ ...aJob(), idempotencyKey: 'last' })).toMatchObject({ id: last.id });
    });

    it('holds the bound when many are added at once', async () => {
      const small = await here.connect('small', { maxWaiting: 10 });
      const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => small.add(aJob())));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect(await here.left.counts()).toMatchObject({ queued: 10 });
    });

    it('lists newest first, page by page, also by status', async () => {
      const jobs: Job[] = [];
      for (let i = 0; i < 7; i++) jobs.push(await here.left.add(aJob()));
      const ids = jobs.map((job) => job.id).toReversed();
      await here.right.cancel(ids[1] ?? '');
      await here.right.cancel(ids[4] ?? '');

      const first = await here.right.list({ limit: 3 });
      expect(first.items.map((job) => job.id)).toEqual(ids.slice(0, 3));
      const second = await here.right.list({ limit: 4, after: first.next ?? '' });
      expect(second.items.map((job) => job.id)).toEqual(ids.slice(3));
      expect(second.next).toBeNull();

      const cancelled = await here.left.list({ limit: 1, status: 'cancelled' });
      expect(cancelled.items.map((job) => job.id)).toEqual([ids[1]]);
      const rest = await here.left.list({ limit: 10, status: 'cancelled', after: cancelled.next ?? '' });
      expect(rest).toMatchObject({ items: [{ id: ids[4] }], next: null });
      expect(await here.left.list({ limit: 10, status: 'failed' })).toEqual({ items: [], next: null });
    });

    it('lists and counts the jobs of one tenant alone', async () => {
      const jobs: Job[] = [];
      for (const tenant of ['one', 'two', 'one', 'two', 'one'])
        jobs.push(await here.left.add(aJob({ tenant })));
      const ids = jobs.map((job) => job.id);
      await here.left.cancel(ids[2] ?? '');
      const idsOf = async (filter: { tenant?: string; status?: Job['status'] }): Promise<string[]> =>
        (await here.right.list({ limit: 10, ...filter })).items.map((job) => job.id);
      expect(await idsOf({ tenant: 'one' })).toEqual([ids[4], ids[2], ids[0]]);
      expect(await idsOf({ tenant: 'two' })).toEqual([ids[3], ids[1]]);
      expect(await idsOf({ tenant: 'one', status: 'cancelled' })).toEqual([ids[2]]);
      expect(await idsOf({ tenant: 'two', status: 'cancelled' })).toEqual([]);
      expect([await idsOf({ tenant: 'three' }), await idsOf({ tenant: '' })]).toEqual([[], []]);
      expect(await idsOf({})).toEqual(ids.toReversed());
      const page = await here.right.list({ tenant: 'one', limit: 2 });
      expect(page.items.map((job) => job.id)).toEqual([ids[4], ids[2]]);
      const rest = await here.right.list({ tenant: 'one', limit: 2, after: page.next ?? '' });
      expect(rest).toMatchObject({ items: [{ id: ids[0], tenant: 'one' }], next: null });

      const none = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
      expect(await here.right.counts('one')).toEqual({ ...none, queued: 2, cancelled: 1 });
      expect(await here.right.counts('two')).toEqual({ ...none, queued: 2 });
      expect(await here.right.counts('three')).toEqual(none);
      expect(await here.right.counts()).toEqual({ ...none, queued: 4, cancelled: 1 });
    });

    it('tells how its lanes stand, in every process', async () => {
      const idle = { waiting: 0, running: 0, oldestSince: null };
      expect(await here.left.lanes()).toMatchObject({ image: idle, video: idle, film: idle });
      const [first, second] = [aJob({ lane: 'video' }), aJob({ lane: 'video', priority: 5 })];
      const oldest = await here.left.add(first);
      await here.backend.pass(1000);
      await here.left.add(second);
      expect(await here.right.lanes()).toMatchObject({
        image: idle,
        video: { waiting: 2, running: 0, oldestSince: oldest.createdAt },
      });
      // The one of the higher priority begins, and goes on until it is cancelled.
      here.right.work('video', handler(untilAborted), { concurrency: 1 });
      await untilStatus(here.left, second.id, 'running');
      expect((await here.left.lanes()).video).toEqual({
        waiting: 1,
        running: 1,
        oldestSince: oldest.createdAt,
      });
    });

    it.each(['', 'nonsense', '%00', Buffer.from("' OR 1=1 --").toString('base64url')])(
      'refuses the cursor %j',
      async (after) => {
        await expect(here.left.list({ limit: 3, after })).rejects.toMatchObject({ code: 'invalid_request' });
      },
    );

    it('names the finished jobs whose time has come, oldest first', async () => {
      const [first, second, third] = [aJob(), aJob(), aJob()];
      for (const job of [first, second, third]) await here.left.add(job);
      await here.left.cancel(second.id);
      await here.backend.pass(5000);
      await here.left.cancel(first.id);
      expect(await here.right.expired(here.backend.now(), 10)).toEqual([]);
      const later = here.backend.now() + TTL_SECONDS * 1000;
      expect((await here.right.expired(later, 10)).map((job) => job.id)).toEqual([second.id, first.id]);
      expect((await here.right.expired(later, 1)).map((job) => job.id)).toEqual([second.id]);
      await here.right.remove(second.id);
      expect((await here.right.expired(later, 10)).map((job) => job.id)).toEqual([first.id]);
    });
  });
}

let keys = 0;
function newKey(): string {
  return `key ${keys++}`;
}
