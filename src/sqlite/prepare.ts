// Statements by name, each prepared once.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type Prepared<T> = { readonly [K in keyof T]: StatementSync };

/** Prepares each text under its own name. Throws SQLite's error for one that is wrong. */
export function prepareAll<T extends Readonly<Record<string, string>>>(
  db: DatabaseSync,
  statements: T,
): Prepared<T> {
  return Object.fromEntries(
    Object.entries(statements).map(([name, text]) => [name, db.prepare(text)]),
  ) as Prepared<T>;
}
