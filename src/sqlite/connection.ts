// Opens a database file that all processes of the machine share, and tells SQLite's errors apart.

import { chmodSync, closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../problems.ts';
import { migrate } from './migrate.ts';
import type { Migrations } from './migrate.ts';

// Primary result codes, https://www.sqlite.org/rescode.html; `errcode` carries the extended one.
const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const SQLITE_IOERR_SHMSIZE = 4874;

/** Milliseconds that one call may block the event loop for a lock. Past it, it is waited for without blocking. */
const BLOCKING_WAIT = 4;
/** Milliseconds after which a lock that never comes free is reported. */
const PATIENCE = 10_000;
/** SQLite's name for a database without a file. */
const IN_MEMORY = ':memory:';

/**
 * Opens (and creates or migrates) the database, which nobody but this user may read; nor its folder, if it is made here.
 * Several processes may do so at the same moment.
 */
export async function openConnection(path: string, migrations: Migrations): Promise<DatabaseSync> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (path !== IN_MEMORY) makePrivate(path);
  const db = new DatabaseSync(path, { timeout: BLOCKING_WAIT });
  try {
    await patiently(() => {
      db.exec('PRAGMA journal_mode = WAL');
      // synchronous is set per transaction by the writer. 8 MB of cache; a WAL that a burst blew up is cut to 64 MB again.
      db.exec(
        'PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF',
      );
      migrate(db, migrations);
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Makes the file if it is not there. SQLite gives those beside it (-wal, -shm) the mode of the database. */
export function makePrivate(path: string): void {
  try {
    // Only if it is new: closing any other descriptor of it would drop SQLite's locks. Synchronous, so that no other
    // connection of this process opens it in between. https://www.sqlite.org/howtocorrupt.html §2.2
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw asProblem(error);
  }
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    try {
      chmodSync(file, 0o600);
    } catch {
      // Not there, or somebody else's, who has decided already.
    }
  }
}

/** Throws `shutting_down` for a connection that was closed. */
export function assertOpen(db: DatabaseSync): void {
  if (db.isOpen) return;
  throw new Problem('shutting_down', 'The server is stopping. Nothing was kept; try again.');
}

/** Readers never wait for writers in WAL, save for moments such as recovery after a crash. Rejects `shutting_down`, or as `patiently`. */
export async function readFrom<T>(db: DatabaseSync, question: () => T): Promise<T> {
  assertOpen(db);
  try {
    return question();
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
  return patiently(question);
}

/**
 * Calls until the lock is free, waiting between calls without blocking the event loop. The jitter keeps
 * processes that lost to one another from meeting again. Rejects `overloaded` after 10 s, else what the call threw.
 */
export async function patiently<T>(call: () => T): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    try {
      return call();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw asProblem(error);
    }
    await delay(pause * (0.5 + Math.random()));
  }
}

export function isBusy(error: unknown): boolean {
  return (resultCode(error) & 0xff) === SQLITE_BUSY;
}

/** SQLite's errors that mean something to a client as a Problem; any other as it is. */
export function asProblem(error: unknown): unknown {
  if (isFull(error)) {
    return new Problem('storage_full', 'The disk is full. Nothing was kept; try again later.', {
      cause: error,
    });
  }
  if (isBusy(error)) {
    return new Problem('overloaded', 'The database is busy. Nothing was kept; try again.', {
      cause: error,
    });
  }
  return error;
}

function isFull(error: unknown): boolean {
  const code = resultCode(error);
  return (code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE;
}

function resultCode(error: unknown): number {
  return (error as { readonly errcode?: number } | null)?.errcode ?? 0;
}
