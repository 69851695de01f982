// The file of the embedded queue: its versions, plans and events.

import type { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { JobEvent } from '../../src/contracts.ts';
import { LANE_STATEMENTS } from '../../src/queues/sqlite-lanes.ts';
import { SqliteEvents } from '../../src/queues/sqlite-events.ts';
import { STATEMENTS } from '../../src/queues/sqlite-rows.ts';
import { aJob, aResult, eventsUntil, handler, untilAborted, untilStatus } from '../contracts/queue-jobs.ts';
import { sqliteFile } from './sqlite-fixture.ts';

const here = sqliteFile();
const SOME_JOB = { id: 'some job', tenant: 'default' };

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

  it('keeps the last 10,000 events or so, and says to who missed some that it goes on with what comes', async () => {
    const db = await here.openRaw();
    const events = new SqliteEvents(db);
    // One each second, over hours.
    const begin = Date.now() - 12_000_000;
    inOne(db, () => {
      for (let i = 1; i <= 12_000; i++) events.append(SOME_JOB, 'progress', begin + i * 1000);
    });
    const kept = count(db);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(10_500);
    const queue = await here.openQueue();
    const signal = AbortSignal.timeout(20_000);
    const stream = queue.events({ after: 12_000 - kept - 1, signal });
    const reading = stream[Symbol.asyncIterator]();
    expect((await reading.next()).value).toEqual({ type: 'lost', sequence: 12_000 });
    expect(stream.position).toBe(12_000);
    const next = reading.next();
    const { id } = await queue.add(aJob());
    expect((await next).value).toMatchObject({ sequence: 12_001, jobId: id });
    expect(await queue.hasNews('some job', 12_000 - kept - 1)).toBe(true);
    expect(await queue.hasNews('other job', 12_000 - kept - 1)).toBe(true);
    expect(await queue.hasNews('other job', 12_000 - kept)).toBe(false);
    // All of them, read in parts.
    const all = await eventsUntil(queue, { after: 12_000 - kept }, ({ sequence }) => sequence === 12_000);
    expect(all.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: kept }, (_, i) => 12_000 - kept + 1 + i),
    );
  });

  it('keeps what is young for longer, up to a bound, and comes back to the least', async () => {
    const db = await here.openRaw();
    const events = new SqliteEvents(db, { least: 500, youngMs: 1000, most: 5000 });
    let newest = 0;
    const add = (events: SqliteEvents, more: number, at: number): void =>
      inOne(db, () => {
        for (let i = 0; i < more; i++) newest = events.append(SOME_JOB, 'progress', at);
      });
    add(events, 256 * 10, 10_000);
    expect(count(db)).toBe(2560);
    add(events, 256 * 2, 10_999);
    expect(count(db)).toBe(2560 + 512);
    // The first flood is old now: what is pruned is no more than twice what comes, and nothing younger.
    add(events, 256, 11_000);
    expect(count(db)).toBe(2560 + 512 + 256 - 512);
    add(events, 256 * 20, 11_001);
    const kept = count(db);
    expect(kept).toBe(5000);
    expect(db.prepare('SELECT min(sequence) AS first FROM events').get()).toEqual({
      first: newest - kept + 1,
    });
    for (let second = 20; second < 60; second++) add(events, 256, second * 1000);
    expect(count(db)).toBeLessThanOrEqual(500 + 512 + 256);
    expect(count(db)).toBeGreaterThanOrEqual(500);
  });
});

describe('the events', () => {
  it('of one great transaction all arrive', async () => {
    const queue = await here.openQueue();
    const last = 1234;
    const reading = eventsUntil(queue, {}, ({ sequence }) => sequence === last);
    const db = await here.openRaw();
    const events = new SqliteEvents(db);
    inOne(db, () => {
      for (let i = 1; i <= last; i++) events.append(SOME_JOB, 'progress', i);
    });
    expect(await reading).toHaveLength(last);
  });

  it('of long ago are told piece by piece, however many ask for them at once', async () => {
    const db = await here.openRaw();
    const events = new SqliteEvents(db);
    const each = 2000;
    inOne(db, () => {
      for (let i = 1; i <= each; i++) events.append(SOME_JOB, 'progress', i);
    });
    const queue = await here.openQueue();
    let inThisTurn = 0;
    let mostInTurn = 0;
    const isLast = ({ sequence }: JobEvent): boolean => {
      mostInTurn = Math.max(mostInTurn, ++inThisTurn);
      return sequence === each;
    };
    const whose = [undefined, { tenant: 'default' }, { jobId: 'some job' }];
    const readers = Array.from({ length: 12 }, (_, i) =>
      eventsUntil(queue, { after: 0, of: whose[i % 3] }, isLast),
    );
    const turn = (): void => {
      inThisTurn = 0;
      looking = setImmediate(turn);
    };
    let looking = setImmediate(turn);
    const all = await Promise.all(readers).finally(() => clearImmediate(looking));
    expect(all.map((told) => told.length)).toEqual(readers.map(() => each));
    // A hundred, and those of the next turn if they came before we looked.
    expect(mostInTurn).toBeLessThanOrEqual(200);
  });
});

function inOne(db: DatabaseSync, write: () => void): void {
  db.exec('BEGIN');
  write();
  db.exec('COMMIT');
}

function count(db: DatabaseSync): number {
  return Number(db.prepare('SELECT count(*) AS n FROM events').get()?.['n']);
}

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
    ['events.between', 'SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
    [
      'events.betweenOfTenant',
      'SEARCH events USING INDEX events_by_tenant (tenant=? AND rowid>? AND rowid<?)',
    ],
    ['events.betweenOfJob', 'SEARCH events USING INDEX events_by_job (job_id=? AND rowid>? AND rowid<?)'],
    ['events.news', 'SEARCH events USING COVERING INDEX events_by_job (job_id=? AND rowid>?)'],
    ['events.oldest', 'SEARCH events'],
    ['events.prune', 'SEARCH events USING INTEGER PRIMARY KEY (rowid<?)'],
  ])('%s is: %s', async (name, wanted) => {
    expect(plan(await here.openRaw(), STATEMENTS[name] ?? '')).toBe(wanted);
  });

  it('never walk through all jobs or events, and never sort', async () => {
    const db = await here.openRaw();
    expect(Object.keys(STATEMENTS).length).toBeGreaterThan(20);
    for (const [name, sql] of Object.entries({ ...STATEMENTS, ...LANE_STATEMENTS })) {
      expect(plan(db, sql), name).not.toMatch(/SCAN (jobs|events)|TEMP B-TREE/);
    }
  });
});
