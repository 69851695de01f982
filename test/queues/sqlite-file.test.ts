// What only the embedded queue has: a file, its lock, its plans, its limits.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { openConnection } from '../../src/queues/sqlite-connection.ts';
import { SqliteRows, STATEMENTS } from '../../src/queues/sqlite-rows.ts';
import { SqliteWriter } from '../../src/queues/sqlite-writer.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import type { SqliteQueueOptions } from '../../src/queues/sqlite.ts';
import {
  aJob,
  aResult,
  eventsUntil,
  eventually,
  handler,
  untilAborted,
  untilStatus,
} from '../contracts/queue-jobs.ts';

let folder: string;
let path: string;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sqlite-file-'));
  path = join(folder, 'data', 'jobs.db');
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
  await rm(folder, { recursive: true });
});

async function openQueue(options: Partial<SqliteQueueOptions> = {}): Promise<JobQueue> {
  const queue = await openSqliteQueue({
    path,
    owner: 'this one',
    policy: { maxAttempts: 3, ttlSeconds: 60 },
    leaseSeconds: 30,
    maxWaiting: 10_000,
    hints: localHints(),
    ...options,
  });
  open.push(queue);
  return queue;
}

/** A plain connection, as an operator's sqlite3 would be. */
async function openRaw(): Promise<DatabaseSync> {
  const db = await openConnection(path);
  open.push(db);
  return db;
}

describe('the file', () => {
  it('may be made by several processes at once, in a folder that is not there', async () => {
    const queues = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => openQueue({ owner })));
    const { id } = await queues[0]!.add(aJob());
    for (const queue of queues) expect(await queue.get(id)).toMatchObject({ id });
    const db = await openRaw();
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  });

  it('of a newer version is left alone', async () => {
    const db = await openRaw();
    db.exec('PRAGMA user_version = 1000');
    await expect(openQueue()).rejects.toThrow(/version 1000.*newer/);
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1000 });
  });

  it('counts jobs as they are, whatever happened to them', async () => {
    const queue = await openQueue();
    const jobs = await Promise.all(Array.from({ length: 6 }, () => queue.add(aJob())));
    queue.work(
      'image',
      handler((job, context) => (job.id === jobs[0]?.id ? untilAborted(job, context) : aResult())),
      { concurrency: 2 },
    );
    await queue.cancel(jobs[5]!.id);
    for (const { id } of jobs.slice(1, 5)) await untilStatus(queue, id, 'succeeded');
    await queue.remove(jobs[1]!.id);
    const db = await openRaw();
    const real = db.prepare('SELECT status, count(*) AS jobs FROM jobs GROUP BY status').all();
    const counts = await queue.counts();
    expect(counts).toEqual({ queued: 0, running: 1, succeeded: 3, failed: 0, cancelled: 1 });
    expect(real).toHaveLength(3);
    for (const row of real) expect(counts[row['status'] as keyof typeof counts]).toBe(row['jobs']);
  });

  it('keeps the last 10,000 events or so, and goes on with the oldest of them', async () => {
    const db = await openRaw();
    const rows = new SqliteRows(db);
    db.exec('BEGIN');
    for (let i = 1; i <= 12_000; i++) rows.append('some job', 'progress', i);
    db.exec('COMMIT');
    const kept = Number(db.prepare('SELECT count(*) AS n FROM events').get()?.['n']);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(10_500);
    const queue = await openQueue();
    const [oldest] = await eventsUntil(queue, { after: 5 }, () => true);
    expect(oldest?.sequence).toBe(12_000 - kept + 1);
    // All of them, read in parts.
    const all = await eventsUntil(queue, { after: 0 }, ({ sequence }) => sequence === 12_000);
    expect(all.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: kept }, (_, i) => 12_000 - kept + 1 + i),
    );
  });
});

describe('query plans', () => {
  const plan = (db: DatabaseSync, sql: string): string =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => row['detail'])
      .join('; ');

  it.each([
    ['jobs.get', 'SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)'],
    ['jobs.getNewer', 'SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)'],
    ['jobs.next', 'SEARCH jobs USING INDEX jobs_waiting (lane=?)'],
    ['jobs.page', 'SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id<?)'],
    ['jobs.pageOf', 'SEARCH jobs USING INDEX jobs_by_status (status=? AND id<?)'],
    ['jobs.expired', 'SEARCH jobs USING INDEX jobs_by_expiry (expires_at<?)'],
    ['jobs.byKey', 'SEARCH jobs USING INDEX jobs_by_idempotency_key (idempotency_key=?)'],
    ['jobs.count', 'SEARCH counts USING PRIMARY KEY (status=?)'],
    ['leases.extend', 'SEARCH leases USING PRIMARY KEY (job_id=?)'],
    ['events.after', 'SEARCH events USING INTEGER PRIMARY KEY (rowid>?)'],
    ['events.prune', 'SEARCH events USING INTEGER PRIMARY KEY (rowid<?)'],
  ])('%s is: %s', async (name, wanted) => {
    expect(plan(await openRaw(), STATEMENTS[name] ?? '')).toBe(wanted);
  });

  it('never walk through all jobs or events, and never sort', async () => {
    const db = await openRaw();
    expect(Object.keys(STATEMENTS).length).toBeGreaterThan(20);
    for (const [name, sql] of Object.entries(STATEMENTS)) {
      expect(plan(db, sql), name).not.toMatch(/SCAN (jobs|events)|TEMP B-TREE/);
    }
  });
});

describe('reading', () => {
  it('answers the very same object until the job changes', async () => {
    const [mine, others] = [await openQueue(), await openQueue({ owner: 'other' })];
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
    const queue = await openQueue();
    const jobs = await Promise.all(Array.from({ length: 300 }, () => queue.add(aJob())));
    const first = await queue.get(jobs[0]!.id);
    for (const { id } of jobs) expect(await queue.get(id)).toMatchObject({ id });
    const again = await queue.get(jobs[0]!.id);
    expect(again).toEqual(first);
    expect(again).not.toBe(first);
  });
});

describe('writing', () => {
  it('waits for the lock without stopping the process, while reading goes on', async () => {
    const queue = await openQueue();
    const job = await queue.add(aJob());
    const db = await openRaw();
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

  it('commits together what comes together, and undoes only what failed', async () => {
    const db = await openRaw();
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
    const db = await openRaw();
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
    const owner = await openQueue({ leaseSeconds, now, pollMilliseconds: 5 });
    const other = await openQueue({ leaseSeconds, now, pollMilliseconds: 5, owner: 'other' });
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
    const lease = (await openRaw()).prepare('SELECT until FROM leases');
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
    const queue = await openQueue({
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
    const later = await openQueue();
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
    const mine = await openQueue({ hints, pollMilliseconds: never });
    const others = await openQueue({ hints, pollMilliseconds: never, owner: 'other' });
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
});
