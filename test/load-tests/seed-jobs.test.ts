// Stored jobs must be such as the queue itself stores: a million of another kind would measure something else.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedJobs } from '../../load-tests/seed-jobs.ts';
import { isId } from '../../src/lib/id.ts';
import { QUEUE_MIGRATIONS } from '../../src/queues/sqlite-schema.ts';
import { openConnection } from '../../src/sqlite/connection.ts';
import { SqliteRows } from '../../src/queues/sqlite-rows.ts';
import type { Job } from '../../src/jobs/job.ts';

let dataDir = '';
let ids: string[] = [];
let db: DatabaseSync;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  ids = await seedJobs(dataDir, 500, 10);
  db = await openConnection(join(dataDir, 'mediamill.sqlite'), QUEUE_MIGRATIONS);
});
afterAll(async () => {
  db.close();
  await rm(dataDir, { recursive: true, force: true });
});

it('are read by the queue as finished jobs', () => {
  const rows = new SqliteRows(db);
  expect(rows.counts()).toEqual({ queued: 0, running: 0, succeeded: 500, failed: 0, cancelled: 0 });
  const job = rows.read(ids[3] as string) as Job;
  expect(job).toMatchObject({ status: 'succeeded', progress: 1, attempt: 1, phase: 'done' });
  expect(Object.keys(job.results)).toEqual(Object.keys(job.recipe.outputs));
  expect(rows.page({ limit: 100 }, '~', 500)).toHaveLength(500);
});

it('have the columns that the queue finds them by', () => {
  const differing = db
    .prepare(
      `SELECT count(*) AS jobs FROM jobs WHERE id <> document ->> 'id' OR revision <> document ->> 'revision'
       OR lane <> document ->> 'lane' OR status <> document ->> 'status' OR expires_at IS NOT document ->> 'expiresAt'`,
    )
    .get();
  expect(differing).toEqual({ jobs: 0 });
});

it('are kept while the figures are taken', () => {
  expect(new SqliteRows(db).expired(Date.now() + 3_600_000, 10)).toEqual([]);
});

it('are sampled from the first to the last', () => {
  expect(ids).toHaveLength(10);
  expect(ids.every(isId)).toBe(true);
  const all = db
    .prepare('SELECT id FROM jobs ORDER BY id')
    .all()
    .map((row) => row['id'] as string);
  const places = ids.map((id) => all.indexOf(id));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBe(0);
  expect(places[9]).toBeGreaterThanOrEqual(440);
});

it('can be fewer than the sample', async () => {
  const few = await mkdtemp(join(tmpdir(), 'mediamill-test-'));
  try {
    expect(await seedJobs(few, 3, 10)).toHaveLength(3);
  } finally {
    await rm(few, { recursive: true, force: true });
  }
});
