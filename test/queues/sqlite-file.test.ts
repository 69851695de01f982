// The file of the embedded queue: its versions, plans and events.

import type { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { SqliteRows, STATEMENTS } from '../../src/queues/sqlite-rows.ts';
import { aJob, aResult, eventsUntil, handler, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { sqliteFile } from './sqlite-fixture.ts';

const here = sqliteFile();

describe('the file', () => {
  it('may be made by several processes at once, in a folder that is not there', async () => {
    const queues = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => here.openQueue({ owner })));
    const { id } = await queues[0]!.add(aJob());
    for (const queue of queues) expect(await queue.get(id)).toMatchObject({ id });
    const db = await here.openRaw();
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  });

  it('of a newer version is left alone', async () => {
    const db = await here.openRaw();
    db.exec('PRAGMA user_version = 1000');
    await expect(here.openQueue()).rejects.toThrow(/version 1000.*newer/);
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1000 });
  });

  it('counts jobs as they are, whatever happened to them', async () => {
    const queue = await here.openQueue();
    const jobs = await Promise.all(Array.from({ length: 6 }, () => queue.add(aJob())));
    queue.work(
      'image',
      handler((job, context) => (job.id === jobs[0]?.id ? untilAborted(job, context) : aResult())),
      { concurrency: 2 },
    );
    await queue.cancel(jobs[5]!.id);
    for (const { id } of jobs.slice(1, 5)) await untilStatus(queue, id, 'succeeded');
    await queue.remove(jobs[1]!.id);
    const db = await here.openRaw();
    const real = db.prepare('SELECT status, count(*) AS jobs FROM jobs GROUP BY status').all();
    const counts = await queue.counts();
    expect(counts).toEqual({ queued: 0, running: 1, succeeded: 3, failed: 0, cancelled: 1 });
    expect(real).toHaveLength(3);
    for (const row of real) expect(counts[row['status'] as keyof typeof counts]).toBe(row['jobs']);
  });

  it('keeps the last 10,000 events or so, and goes on with the oldest of them', async () => {
    const db = await here.openRaw();
    const rows = new SqliteRows(db);
    db.exec('BEGIN');
    for (let i = 1; i <= 12_000; i++) rows.append({ id: 'some job', tenant: 'default' }, 'progress', i);
    db.exec('COMMIT');
    const kept = Number(db.prepare('SELECT count(*) AS n FROM events').get()?.['n']);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(10_500);
    const queue = await here.openQueue();
    const [oldest] = await eventsUntil(queue, { after: 5 }, () => true);
    expect(oldest?.sequence).toBe(12_000 - kept + 1);
    // All of them, read in parts.
    const all = await eventsUntil(queue, { after: 0 }, ({ sequence }) => sequence === 12_000);
    expect(all.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: kept }, (_, i) => 12_000 - kept + 1 + i),
    );
  });
});

describe('the events', () => {
  it('of one great transaction all arrive', async () => {
    const queue = await here.openQueue();
    const last = 1234;
    const reading = eventsUntil(queue, {}, ({ sequence }) => sequence === last);
    const db = await here.openRaw();
    const rows = new SqliteRows(db);
    db.exec('BEGIN');
    for (let i = 1; i <= last; i++) rows.append({ id: 'some job', tenant: 'default' }, 'progress', i);
    db.exec('COMMIT');
    expect(await reading).toHaveLength(last);
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
    expect(plan(await here.openRaw(), STATEMENTS[name] ?? '')).toBe(wanted);
  });

  it('never walk through all jobs or events, and never sort', async () => {
    const db = await here.openRaw();
    expect(Object.keys(STATEMENTS).length).toBeGreaterThan(20);
    for (const [name, sql] of Object.entries(STATEMENTS)) {
      expect(plan(db, sql), name).not.toMatch(/SCAN (jobs|events)|TEMP B-TREE/);
    }
  });
});
