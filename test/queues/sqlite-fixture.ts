// A folder with the file of an embedded queue, new for each test, and connections to it that are closed after it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach } from 'vitest';
import type { JobQueue } from '../../src/contracts.ts';
import { localHints } from '../../src/lib/local-hints.ts';
import { QUEUE_MIGRATIONS } from '../../src/queues/sqlite-schema.ts';
import { openConnection } from '../../src/sqlite/connection.ts';
import { openSqliteQueue } from '../../src/queues/sqlite.ts';
import type { SqliteQueueOptions } from '../../src/queues/sqlite.ts';

interface SqliteFile {
  openQueue(options?: Partial<SqliteQueueOptions>): Promise<JobQueue>;
  /** A connection that knows nothing of queues, as an operator's sqlite3 would be. */
  openRaw(): Promise<DatabaseSync>;
}

/** Call it where tests are described. */
export function sqliteFile(): SqliteFile {
  let folder: string;
  const open: { close(): unknown }[] = [];
  const path = (): string => join(folder, 'data', 'jobs.db');

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sqlite-file-'));
  });
  afterEach(async () => {
    for (const one of open.splice(0).toReversed()) await one.close();
    await rm(folder, { recursive: true });
  });

  return {
    async openQueue(options = {}) {
      const queue = await openSqliteQueue({
        path: path(),
        owner: 'this one',
        policy: { maxAttempts: 3, ttlSeconds: 60 },
        leaseSeconds: 30,
        maxWaiting: 10_000,
        hints: localHints(),
        ...options,
      });
      open.push(queue);
      return queue;
    },
    async openRaw() {
      const db = await openConnection(path(), QUEUE_MIGRATIONS);
      open.push(db);
      return db;
    },
  };
}
