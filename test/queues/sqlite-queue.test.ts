// What the embedded queue does beyond the contract: its cache, its lock, a full disk, heartbeats, hints.

import { describe, expect, it, vi } from 'vitest';
import { Reroute } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { SqliteWriter } from '../../src/sqlite/writer.ts';
import type { SqliteQueueOptions } from '../../src/queues/sqlite.ts';
import { aJob, aResult, eventually, handler, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { sqliteFile } from './sqlite-fixture.ts';

const here = sqliteFile();

describe('reading', () => {
  it('answers the very same object until the job changes', async () => {
    const [mine, others] = [await here.openQueue(), await here.openQueue({ owner: 'other' })];
    const { id } = await others.add(aJob());
    const job = await mine.get(id);
    expect(await mine.get(id)).toBe(job);
    const cancelled = await others.cancel(id);
    expect(await mine.get(id)).toEqual(cancelled);
    expect(await mine.get(id)).not.toBe(job);
    await others.remove(id);
    expect(await mine.get(id)).toBeUndefined();
  });

  it('remembers no more than it may', async () => {
    const queue = await here.openQueue();
    const jobs = await Promise.all(Array.from({ length: 300 }, () => queue.add(aJob())));
    const first = await queue.get(jobs[0]!.id);
    for (const { id } of jobs) expect(await queue.get(id)).toMatchObject({ id });
    const again = await queue.get(jobs[0]!.id);
    expect(again).toEqual(first);
    expect(again).not.toBe(first);
  });
});

describe('a process that was paused', () => {
  it('takes nothing any more when it is told to leave while it comes back', async () => {
    const [queue, other] = [await here.openQueue(), await here.openQueue({ owner: 'other' })];
    const { id, revision } = await other.add(aJob());
    const real = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() + 60_000);
    try {
      queue.work('image', handler(), { concurrency: 1 });
      await queue.close();
      expect(await other.get(id)).toMatchObject({ status: 'queued', revision });
    } finally {
      clock.mockRestore();
    }
  });
});

describe('writing', () => {
  it('waits for the lock without stopping the process, while reading goes on', async () => {
    const queue = await here.openQueue();
    const job = await queue.add(aJob());
    const db = await here.openRaw();
    db.exec('BEGIN IMMEDIATE');
    let added = false;
    const adding = queue.add(aJob()).finally(() => (added = true));
    for (let turn = 0; turn < 50; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(await queue.get(job.id)).toEqual(job);
    }
    expect(added).toBe(false);
    db.exec('COMMIT');
    await adding;
    expect(await queue.counts()).toMatchObject({ queued: 2 });
  });

  it('waits for the disk where a power cut would cost something, and not where it costs a repetition', async () => {
    const queue = await here.openQueue();
    const write = vi.spyOn(SqliteWriter.prototype, 'write');
    try {
      const { id } = await queue.add(aJob());
      await queue.cancel(id);
      await queue.acknowledge(id);
      const durable = write.mock.calls.map(([, options]) => options?.durable ?? true);
      expect(durable).toEqual([true, true, false]);
    } finally {
      write.mockRestore();
    }
    expect(await queue.endings(Date.now() + 1, 10)).toEqual([]);
  });

  it('commits together what comes together, and undoes only what failed', async () => {
    const db = await here.openRaw();
    db.exec('CREATE TABLE notes (text TEXT PRIMARY KEY)');
    const writer = new SqliteWriter(db);
    const note = (text: string) => () => db.prepare('INSERT INTO notes VALUES (?)').run(text).changes;
    const outcomes = await Promise.allSettled([
      writer.write(note('one')),
      writer.write(() => {
        note('gone')();
        throw new Error('changed its mind');
      }),
      writer.write(note('one')),
      writer.write(note('two'), { durable: false }),
    ]);
    expect(outcomes).toMatchObject([
      { value: 1 },
      { reason: { message: 'changed its mind' } },
      { reason: { errcode: 1555 } },
      { value: 1 },
    ]);
    expect(db.prepare('SELECT text FROM notes ORDER BY text').all()).toEqual([
      { text: 'one' },
      { text: 'two' },
    ]);
  });

  it('says that the disk is full, keeps nothing of it, and goes on when there is room', async () => {
    const db = await here.openRaw();
    db.exec('CREATE TABLE notes (text TEXT)');
    const writer = new SqliteWriter(db);
    const note = (text: string) => () => db.prepare('INSERT INTO notes VALUES (?)').run(text).changes;
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
    db.exec(`PRAGMA max_page_count = ${pages + 4}`);
    const outcomes = await Promise.allSettled([
      writer.write(note('small')),
      writer.write(note('x'.repeat(100_000))),
    ]);
    // The one transaction is lost, so both are told.
    expect(outcomes).toMatchObject([
      { reason: { code: 'storage_full' } },
      { reason: { code: 'storage_full' } },
    ]);
    expect(db.prepare('SELECT count(*) AS n FROM notes').get()).toEqual({ n: 0 });
    expect(await writer.write(note('small'))).toBe(1);
    db.exec('PRAGMA max_page_count = 1000000');
    expect(await writer.write(note('x'.repeat(100_000)))).toBe(1);
  });
});

describe('a running job', () => {
  it('keeps its lease as long as its process lives', async () => {
    let passed = 0;
    // A third of a lease is 20 ms, so the heart beats often; the clock only moves when it has.
    const leaseSeconds = 0.06;
    const now = (): number => 1_000_000 + passed;
    const owner = await here.openQueue({ leaseSeconds, now, pollMilliseconds: 5 });
    const other = await here.openQueue({ leaseSeconds, now, pollMilliseconds: 5, owner: 'other' });
    const end = Promise.withResolvers<void>();
    const mine = handler(async () => {
      await end.promise;
      return aResult();
    });
    const theirs = handler();
    owner.work('image', mine, { concurrency: 2 });
    const { id } = await owner.add(aJob());
    await untilStatus(owner, id, 'running');
    other.work('image', theirs, { concurrency: 2 });
    const lease = (await here.openRaw()).prepare('SELECT until FROM leases');
    for (let step = 0; step < 6; step++) {
      const before = Number(lease.get()?.['until']);
      passed += 40;
      await eventually(() => Number(lease.get()?.['until']) > before);
    }
    expect(passed).toBeGreaterThan(3 * leaseSeconds * 1000);
    end.resolve();
    expect(await untilStatus(other, id, 'succeeded')).toMatchObject({ attempt: 1 });
    expect(theirs.started).toEqual([]);
  });

  it('whose handler will not stop is handed back all the same', async () => {
    const warnings: string[] = [];
    const errors: string[] = [];
    const queue = await here.openQueue({
      log: { warn: (_, message) => warnings.push(message), error: (_, message) => errors.push(message) },
    });
    const end = Promise.withResolvers<void>();
    const work = handler(async () => {
      await end.promise;
      return aResult();
    });
    queue.work('image', work, { concurrency: 1 });
    const { id } = await queue.add(aJob());
    await untilStatus(queue, id, 'running');
    await queue.close();
    end.resolve();
    const later = await here.openQueue();
    expect(await later.get(id)).toMatchObject({ status: 'queued', attempt: 0 });
    // Its files may be those of the next attempt by now.
    expect(work.discarded).toEqual([]);
    expect([warnings.length, errors]).toEqual([1, []]);
  });
});

describe('hints', () => {
  it('carry everything that cannot wait for the poll', async () => {
    const hints: SqliteQueueOptions['hints'] = localHints();
    const never = 2 ** 31 - 1;
    const mine = await here.openQueue({ hints, pollMilliseconds: never });
    const others = await here.openQueue({ hints, pollMilliseconds: never, owner: 'other' });
    const work = handler((job, context) => (job.attempt === 1 ? untilAborted(job, context) : aResult()));
    others.work('image', work, { concurrency: 1 });

    // work, job, cancel
    const first = await mine.add(aJob());
    await untilStatus(mine, first.id, 'running');
    await mine.cancel(first.id);
    await untilStatus(mine, first.id, 'cancelled');

    // abandoned, as the primary says it
    const second = await mine.add(aJob());
    await untilStatus(mine, second.id, 'running');
    hints.publish({ topic: 'abandoned', owner: 'this one' });
    hints.publish({ topic: 'abandoned', owner: 'other' });
    expect(await untilStatus(mine, second.id, 'succeeded')).toMatchObject({ attempt: 2 });
  });

  it('tell of a moved job in its new lane, and of the place that it leaves', async () => {
    const hints: SqliteQueueOptions['hints'] = localHints();
    const never = 2 ** 31 - 1;
    const mine = await here.openQueue({ hints, pollMilliseconds: never });
    const others = await here.openQueue({ hints, pollMilliseconds: never, owner: 'other' });
    const go = Promise.withResolvers<void>();
    const work = handler(async (job) => {
      if (job.priority === 0) return aResult();
      await go.promise;
      throw new Reroute('film');
    });
    mine.work('video', work, { concurrency: 1 });
    others.work('film', handler(), { concurrency: 1 });
    const long = await mine.add(aJob({ lane: 'video', priority: 1 }));
    await untilStatus(mine, long.id, 'running');
    // Looked at and left waiting, as the only place is taken: nothing but the move brings the next look.
    const short = await others.add(aJob({ lane: 'video' }));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    go.resolve();
    expect(await untilStatus(others, long.id, 'succeeded')).toMatchObject({ lane: 'film' });
    await untilStatus(others, short.id, 'succeeded');
  });
});
