// Brings a database file to the newest version of its tables, by PRAGMA user_version.

import type { DatabaseSync } from 'node:sqlite';

/** Each entry brings the file from version n to n + 1. Never edit one that was released: append. */
export type Migrations = readonly string[];

/**
 * All missing migrations in one transaction: a process that dies in the middle leaves the old version.
 * Throws where the file was written by a newer Mediamill, and SQLITE_BUSY where another process migrates it now.
 */
export function migrate(db: DatabaseSync, migrations: Migrations): void {
  if (version(db) === migrations.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Read again under the lock: the process that held it may have done the work.
    const from = version(db);
    if (from > migrations.length) {
      throw new Error(
        `The database is of version ${from}, this program knows up to ${migrations.length}. It was written by a newer Mediamill: start that one, or name another DATA_DIR.`,
      );
    }
    for (const migration of migrations.slice(from)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function version(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}
