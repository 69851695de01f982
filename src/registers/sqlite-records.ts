// Records in one SQLite file, for all processes of one machine.

import type { KeptRecord, Page, RecordKind, Records, Stored } from '../contracts.ts';
import { assertOpen, openConnection, readFrom } from '../sqlite/connection.ts';
import type { Migrations } from '../sqlite/migrate.ts';
import { prepareAll } from '../sqlite/prepare.ts';
import { SqliteWriter } from '../sqlite/writer.ts';

export const RECORD_MIGRATIONS: Migrations = [
  `
  -- "place" is the record's group; GROUP is a word of SQL.
  CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    place TEXT NOT NULL,
    version INTEGER NOT NULL,
    due_at INTEGER,
    expires_at INTEGER,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX records_by_place ON records (kind, place, id);
  CREATE INDEX records_by_time ON records (kind, due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
  `,
  `
  -- The highest version of all that is gone. A record begins above it, so no version of an id is ever given twice:
  -- whoever read the one that was there before does not write over the one that was made anew.
  CREATE TABLE gone (version INTEGER NOT NULL) STRICT;
  INSERT INTO gone VALUES (0);
  CREATE TRIGGER record_gone AFTER DELETE ON records BEGIN
    UPDATE gone SET version = OLD.version WHERE version < OLD.version;
  END;
  `,
];

const ALIVE = '(expires_at IS NULL OR expires_at > ?)';
const STATEMENTS = {
  get: `SELECT id, version, document FROM records WHERE kind = ? AND id = ? AND ${ALIVE}`,
  // One that has expired is as if it were not there, for writers too.
  insert: `INSERT INTO records (kind, id, place, version, due_at, expires_at, document)
    SELECT ?, ?, ?, gone.version + 1, ?, ?, ? FROM gone WHERE true
    ON CONFLICT (kind, id) DO UPDATE SET place = excluded.place, version = records.version + 1,
      due_at = excluded.due_at, expires_at = excluded.expires_at, document = excluded.document
    WHERE records.expires_at IS NOT NULL AND records.expires_at <= ?`,
  update: `UPDATE records SET place = ?, version = version + 1, due_at = ?, expires_at = ?, document = ?
    WHERE kind = ? AND id = ? AND version = ? AND ${ALIVE}`,
  remove: `DELETE FROM records WHERE kind = ? AND id = ? AND ${ALIVE}`,
  removeVersion: `DELETE FROM records WHERE kind = ? AND id = ? AND version = ? AND ${ALIVE}`,
  page: `SELECT id, version, document FROM records WHERE kind = ? AND id < ? AND ${ALIVE} ORDER BY id DESC LIMIT ?`,
  pageOf: `SELECT id, version, document FROM records WHERE kind = ? AND place = ? AND id < ? AND ${ALIVE}
    ORDER BY id DESC LIMIT ?`,
  due: `SELECT id, version, document FROM records WHERE kind = ? AND due_at <= ? AND ${ALIVE} ORDER BY due_at LIMIT ?`,
  dump: `SELECT kind, id, place, version, due_at, expires_at, document FROM records
    WHERE (kind, id) > (?, ?) AND ${ALIVE} ORDER BY kind, id LIMIT ?`,
  // A version of what is gone may be one that this id had here.
  restore: `INSERT INTO records (kind, id, place, version, due_at, expires_at, document)
    SELECT ?1, ?2, ?3, max(?4, gone.version + 1), ?5, ?6, ?7 FROM gone WHERE true
    ON CONFLICT (kind, id) DO NOTHING`,
  prune: `DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records WHERE expires_at <= ? LIMIT ?)`,
} as const;

/** After every id. */
const END_OF_IDS = '\u{10ffff}';

export interface SqliteRecordsOptions {
  /** Of the database; its folder is made. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Opens the records. Rejects where the file cannot be opened, or was written by a newer version. */
export async function openSqliteRecords({ path, now = Date.now }: SqliteRecordsOptions): Promise<Records> {
  const db = await openConnection(path, RECORD_MIGRATIONS);
  const sql = prepareAll(db, STATEMENTS);
  const writer = new SqliteWriter(db);

  const read = <T>(question: () => T): Promise<T> => readFrom(db, question);
  /** Whether something was written. */
  function write(statement: () => { readonly changes: number | bigint }): Promise<boolean> {
    assertOpen(db);
    return writer.write(() => Number(statement().changes) > 0);
  }

  return {
    now,

    get: ({ name }, id) => read(() => stored(sql.get.get(name, id, now()))),

    async put({ name }, id, value, { group, dueAt = null, expiresAt = null }, version) {
      const document = JSON.stringify(value);
      return version === 0
        ? write(() => sql.insert.run(name, id, group, dueAt, expiresAt, document, now()))
        : write(() => sql.update.run(group, dueAt, expiresAt, document, name, id, version, now()));
    },

    delete: ({ name }, id, version) =>
      write(() =>
        version === undefined
          ? sql.remove.run(name, id, now())
          : sql.removeVersion.run(name, id, version, now()),
      ),

    async list<T>(
      { name }: RecordKind<T>,
      {
        group,
        limit,
        after = END_OF_IDS,
      }: { group?: string | undefined; limit: number; after?: string | undefined },
    ): Promise<Page<Stored<T>>> {
      const rows = await read(() =>
        group === undefined
          ? sql.page.all(name, after, now(), limit + 1)
          : sql.pageOf.all(name, group, after, now(), limit + 1),
      );
      const items = rows.slice(0, limit).map((row) => stored<T>(row) as Stored<T>);
      return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
    },

    due: <T>({ name }: RecordKind<T>, until: number, limit: number) =>
      read(() => sql.due.all(name, until, now(), limit).map((row) => stored<T>(row) as Stored<T>)),

    prune(until, limit) {
      assertOpen(db);
      return writer.write(() => Number(sql.prune.run(until, limit).changes), { durable: false });
    },

    dump: (after, limit) =>
      read(() => sql.dump.all(after?.kind ?? '', after?.id ?? '', now(), limit).map(kept)),

    restore: ({ kind, id, value, version, group, dueAt, expiresAt }) =>
      write(() => sql.restore.run(kind, id, group, version, dueAt, expiresAt, JSON.stringify(value))),

    async close() {
      await writer.idle();
      if (db.isOpen) db.close();
    },
  };
}

function kept(row: Readonly<Record<string, unknown>>): KeptRecord {
  return {
    kind: row['kind'] as string,
    id: row['id'] as string,
    value: JSON.parse(row['document'] as string) as unknown,
    version: row['version'] as number,
    group: row['place'] as string,
    dueAt: row['due_at'] as number | null,
    expiresAt: row['expires_at'] as number | null,
  };
}

function stored<T>(row: Readonly<Record<string, unknown>> | undefined): Stored<T> | undefined {
  if (row === undefined) return undefined;
  return {
    id: row['id'] as string,
    value: JSON.parse(row['document'] as string) as T,
    version: row['version'] as number,
  };
}
