// Meters in one SQLite file, for all processes of one machine: token buckets, places, accounts.

import type { Meters, Taken } from '../contracts.ts';
import { assertOpen, openConnection, readFrom } from '../sqlite/connection.ts';
import type { Migrations } from '../sqlite/migrate.ts';
import { prepareAll } from '../sqlite/prepare.ts';
import { SqliteWriter } from '../sqlite/writer.ts';

const METER_MIGRATIONS: Migrations = [
  `
  -- How many tokens were missing at a time. A time at which it is full alone (GCRA) would be a number so large that its
  -- fractions are lost, and with them tokens. "full_at" is only for tidying.
  CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    missing REAL NOT NULL,
    at INTEGER NOT NULL,
    full_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE places (
    gate TEXT NOT NULL,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (gate, holder)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE accounts (name TEXT PRIMARY KEY, spent REAL NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE reserved (
    account TEXT NOT NULL,
    holder TEXT NOT NULL,
    amount REAL NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (account, holder)
  ) STRICT, WITHOUT ROWID;
  `,
];

const STATEMENTS = {
  bucket: 'SELECT missing, at FROM buckets WHERE name = ?',
  fill: `INSERT INTO buckets (name, missing, at, full_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET missing = excluded.missing, at = excluded.at, full_at = excluded.full_at`,
  enter: `INSERT INTO places (gate, holder, until)
    SELECT ?, ?, ? WHERE (SELECT count(*) FROM places WHERE gate = ? AND holder <> ? AND until > ?) < ?
    ON CONFLICT (gate, holder) DO UPDATE SET until = excluded.until`,
  // A place whose lease has run out may be somebody else's by now.
  renew: 'UPDATE places SET until = ? WHERE gate = ? AND holder = ? AND until > ?',
  leave: 'DELETE FROM places WHERE gate = ? AND holder = ?',
  spend: `INSERT INTO accounts (name, spent, until) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET until = excluded.until,
      spent = excluded.spent + CASE WHEN accounts.until > ? THEN accounts.spent ELSE 0 END
    RETURNING spent`,
  spent: 'SELECT spent FROM accounts WHERE name = ? AND until > ?',
  reserve: `INSERT INTO reserved (account, holder, amount, until)
    SELECT :account, :holder, :amount, :until
    WHERE coalesce((SELECT spent FROM accounts WHERE name = :account AND until > :now), 0)
      + coalesce((SELECT sum(amount) FROM reserved WHERE account = :account AND holder <> :holder AND until > :now), 0)
      + :amount <= :most
    ON CONFLICT (account, holder) DO UPDATE SET amount = excluded.amount, until = excluded.until`,
  keep: `INSERT INTO reserved (account, holder, amount, until) VALUES (?, ?, ?, ?)
    ON CONFLICT (account, holder) DO UPDATE SET amount = excluded.amount, until = excluded.until`,
  release: 'DELETE FROM reserved WHERE account = ? AND holder = ?',
  dropReserved: 'DELETE FROM reserved WHERE until <= ?',
  dropBuckets: 'DELETE FROM buckets WHERE full_at <= ?',
  dropPlaces: 'DELETE FROM places WHERE until <= ?',
  dropAccounts: 'DELETE FROM accounts WHERE until <= ?',
} as const;

/** How often what has run out is removed, in milliseconds. */
const TIDY_EVERY_MS = 60_000;
/** Of a token: what is lost in the rounding of fractions. */
const ROUNDING = 1e-6;

export interface SqliteMetersOptions {
  /** Of the database; its folder is made. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Opens the meters. Rejects where the file cannot be opened, or was written by a newer version. */
export async function openSqliteMeters({ path, now = Date.now }: SqliteMetersOptions): Promise<Meters> {
  const db = await openConnection(path, METER_MIGRATIONS);
  const sql = prepareAll(db, STATEMENTS);
  const writer = new SqliteWriter(db);
  let tidyAt = now() + TIDY_EVERY_MS;

  const read = <T>(question: () => T): Promise<T> => readFrom(db, question);
  function write<T>(statement: () => T): Promise<T> {
    assertOpen(db);
    if (now() >= tidyAt) {
      tidyAt = now() + TIDY_EVERY_MS;
      // What failed now succeeds in a minute, or in another process.
      writer.write(tidy, { durable: false }).catch(() => undefined);
    }
    return writer.write(statement, { durable: false });
  }
  function tidy(): void {
    for (const drop of [sql.dropBuckets, sql.dropPlaces, sql.dropAccounts, sql.dropReserved]) drop.run(now());
  }
  function bucketOf(name: string): Bucket {
    const row = sql.bucket.get(name);
    return { missing: Number(row?.['missing'] ?? 0), at: Number(row?.['at'] ?? 0) };
  }

  function spentOn(account: string): number {
    return Number(sql.spent.get(account, now())?.['spent'] ?? 0);
  }
  function spend(account: string, amount: number, until: number): number {
    return Number(sql.spend.get(account, amount, until, now())?.['spent']);
  }

  return {
    async take(name, limit, cost = 1) {
      if (!(cost > 0 && cost <= limit.burst))
        throw new RangeError(`a bucket of ${limit.burst} never gives ${cost}`);
      // Others only ever take: what is too much already stays so, and a flood of refusals writes nothing.
      const time = now();
      const early = await read(() => bucketOf(name));
      const refusal = judge(early, limit, cost, time).taken;
      if (!refusal.allowed && early.at <= time) return refusal;
      return write(() => {
        const { taken, missing } = judge(bucketOf(name), limit, cost, now());
        // Also a refusal, if the clock went back: else nothing would come back until it is as late again.
        sql.fill.run(name, missing, now(), now() + Math.ceil(taken.resetMs));
        return taken;
      });
    },

    enter: (gate, most, holder, leaseMs) =>
      write(() => {
        const time = now();
        const { changes } = sql.enter.run(gate, holder, time + leaseMs, gate, holder, time, most);
        return Number(changes) > 0;
      }),

    async renew(gate, holder, leaseMs) {
      await write(() => sql.renew.run(now() + leaseMs, gate, holder, now()));
    },

    async leave(gate, holder) {
      await write(() => sql.leave.run(gate, holder));
    },

    spend: (account, amount, until, once) =>
      write(() => {
        if (once !== undefined) {
          // Beside the accounts, as one on which nothing is spent.
          const mark = `once:${once.name}`;
          if (sql.spent.get(mark, now()) !== undefined) return spentOn(account);
          spend(mark, 0, once.until);
        }
        return spend(account, amount, until);
      }),

    spent: (account) => read(() => spentOn(account)),

    reserve: (account, amount, most, holder, leaseMs) =>
      write(() => {
        const time = now();
        const { changes } = sql.reserve.run({
          account,
          holder,
          amount,
          most,
          until: time + leaseMs,
          now: time,
        });
        return Number(changes) > 0;
      }),

    settle: (account, amount, until, { holder, left, leaseMs }) =>
      write(() => {
        if (left > 0) sql.keep.run(account, holder, left, now() + leaseMs);
        else sql.release.run(account, holder);
        return spend(account, amount, until);
      }),

    async close() {
      await writer.idle();
      if (db.isOpen) db.close();
    },
  };
}

interface Bucket {
  /** Tokens. */
  readonly missing: number;
  /** When they were missing, in milliseconds since 1970. */
  readonly at: number;
}

function judge(
  stored: Bucket,
  { perMinute, burst }: { readonly perMinute: number; readonly burst: number },
  cost: number,
  now: number,
): { taken: Taken; missing: number } {
  const tokenMs = 60_000 / perMinute;
  const cameBack = Math.max(0, now - stored.at) / tokenMs;
  // The bucket may have been larger before.
  const before = Math.min(Math.max(0, stored.missing - cameBack), burst);
  const allowed = before + cost <= burst + ROUNDING;
  const missing = allowed ? before + cost : before;
  return {
    missing,
    taken: {
      allowed,
      remaining: Math.max(0, Math.floor(burst - missing + ROUNDING)),
      resetMs: missing * tokenMs,
      retryMs: allowed ? 0 : (before + cost - burst) * tokenMs,
    },
  };
}
