// The tables of the embedded queue, as a list of migrations on PRAGMA user_version.

import type { DatabaseSync } from 'node:sqlite';

/**
 * Each entry brings the file from version n to n + 1. Never edit one that was released: append.
 * ANALYZE is never run: without statistics the planner's choices are the same on every machine, and tests hold them.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- The whole job is one JSON document, so that a poll is one look-up; the other columns only find it.
  CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    lane TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    expires_at INTEGER,
    idempotency_key TEXT,
    document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX jobs_by_status ON jobs (status, id);
  -- Holds only what waits, in the order of claiming: a claim costs the same with a million finished jobs beside it.
  CREATE INDEX jobs_waiting ON jobs (lane, priority DESC, id, not_before) WHERE status = 'queued';
  CREATE INDEX jobs_by_expiry ON jobs (expires_at) WHERE expires_at IS NOT NULL;
  CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL;

  -- One row for each running job and no other, so it stays tiny: heartbeats do not rewrite documents.
  CREATE TABLE leases (
    job_id TEXT PRIMARY KEY NOT NULL,
    token INTEGER NOT NULL,
    lane TEXT NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- AUTOINCREMENT: a sequence is never given twice, also when all older rows were pruned. Writers are
  -- one at a time, so sequences grow in the order of commits.
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;

  -- Kept by triggers: counting a million index entries took 60 ms, for every scrape and every add.
  CREATE TABLE counts (status TEXT PRIMARY KEY NOT NULL, jobs INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counts VALUES ('queued', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('cancelled', 0);
  CREATE TRIGGER count_added AFTER INSERT ON jobs BEGIN
    UPDATE counts SET jobs = jobs + 1 WHERE status = NEW.status;
  END;
  CREATE TRIGGER count_removed AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = OLD.status;
  END;
  CREATE TRIGGER count_moved AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = OLD.status;
    UPDATE counts SET jobs = jobs + 1 WHERE status = NEW.status;
  END;
  `,
];

/**
 * Brings the file to the newest version, in one transaction: a process that dies in the middle leaves the old one.
 * Throws where the file was written by a newer Mediamill, and SQLITE_BUSY where another process migrates it now.
 */
export function migrate(db: DatabaseSync): void {
  if (version(db) === MIGRATIONS.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Read again under the lock: the process that held it may have done the work.
    const from = version(db);
    if (from > MIGRATIONS.length) {
      throw new Error(
        `The job database is of version ${from}, this program knows up to ${MIGRATIONS.length}. It was written by a newer Mediamill: start that one, or name another DATA_DIR.`,
      );
    }
    for (const migration of MIGRATIONS.slice(from)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function version(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}
