// The tables of the embedded queue.

import type { Migrations } from '../sqlite/migrate.ts';

/** ANALYZE is never run: without statistics the planner's choices are the same on every machine, and tests hold them. */
export const QUEUE_MIGRATIONS: Migrations = [
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
  `
  ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
  CREATE INDEX jobs_by_tenant ON jobs (tenant, id);
  CREATE INDEX jobs_by_tenant_status ON jobs (tenant, status, id);
  ALTER TABLE events ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
  ALTER TABLE events ADD COLUMN output TEXT;
  -- Each holds the sequence too: who comes back reads its own events, not those of others.
  CREATE INDEX events_by_tenant ON events (tenant);
  CREATE INDEX events_by_job ON events (job_id);
  UPDATE jobs SET document = json_set(document, '$.tenant', 'default', '$.webhook', NULL, '$.trace', NULL);
  -- One row for each job that ended and whose end was not worked off yet.
  CREATE TABLE endings (sequence INTEGER PRIMARY KEY NOT NULL, job_id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  CREATE INDEX endings_by_time ON endings (at);
  CREATE INDEX endings_by_job ON endings (job_id);
  `,
];
