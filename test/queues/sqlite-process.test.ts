// The embedded queue in real processes: they share the work, and a killed one breaks nothing.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { QUEUE_MIGRATIONS } from '../../src/queues/sqlite-schema.ts';
import { openConnection } from '../../src/sqlite/connection.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import { handler, untilStatus } from '../contracts/queue-jobs.ts';
import { expectEachOnce, startQueueProcess } from './queue-process-fixture.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sqlite-process-'));
  path = join(folder, 'jobs.db');
});
afterEach(() => rm(folder, { recursive: true }));

const openHere = (owner: string): Promise<JobQueue> =>
  openSqliteQueue({
    path,
    owner,
    policy: { maxAttempts: 10, ttlSeconds: 600 },
    leaseSeconds: 60,
    maxWaiting: 10_000,
    hints: localHints(),
    pollMilliseconds: 10,
  });

const start = (owner: string, ...task: string[]) => startQueueProcess(path, owner, ...task);

describe('two processes', () => {
  it('run each of hundreds of jobs once', async () => {
    await using first = start('first');
    await using second = start('second');
    await Promise.all([first.heard('ready', 1), second.heard('ready', 1)]);
    const queue = await openHere('here');
    try {
      await expectEachOnce(queue, [first, second], 400);
    } finally {
      await queue.close();
    }
  });
});

describe('a process that is killed while it adds and works', () => {
  it.each([5, 30, 70])('after %i jobs leaves a whole file and everything it promised', async (count) => {
    const dead = ['first', 'second'];
    await using first = start('first', 'add');
    await using second = start('second', 'add');
    await Promise.all([first.heard('settled', count), second.heard('added', count)]);
    await Promise.all([first.end('kill'), second.end('kill')]);

    const db = await openConnection(path, QUEUE_MIGRATIONS);
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    const rows = (sql: string): unknown[] =>
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row));
    expect(rows('SELECT status, jobs FROM counts WHERE jobs > 0 ORDER BY status')).toEqual(
      rows('SELECT status, count(*) FROM jobs GROUP BY status ORDER BY status'),
    );
    expect(rows('SELECT job_id FROM leases ORDER BY 1')).toEqual(
      rows("SELECT id FROM jobs WHERE status = 'running' ORDER BY 1"),
    );
    db.close();

    const queue = await openHere('here');
    try {
      const settled = [first, second].flatMap(({ said }) => said.get('settled') ?? []);
      for (const id of settled) expect(await queue.get(id)).toMatchObject({ status: 'succeeded' });
      for (const owner of dead) await queue.abandon(owner);
      expect(await queue.counts()).toMatchObject({ running: 0, failed: 0 });
      queue.work('image', handler(), { concurrency: 20 });
      const added = [first, second].flatMap(({ said }) => said.get('added') ?? []);
      expect(added.length).toBeGreaterThanOrEqual(count);
      for (const id of added) expect(await untilStatus(queue, id, 'succeeded')).toBeDefined();
    } finally {
      await queue.close();
    }
  });
});
