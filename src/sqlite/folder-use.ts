// Who works in a data folder: any number of servers, or one that moves it elsewhere. Nothing to clear up after a crash.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError } from '../config.ts';
import { isBusy, makePrivate } from './connection.ts';

/** Holds nothing but the lock, which the system takes back from whoever dies. https://www.sqlite.org/lockingv3.html */
const FILE = 'in-use.sqlite';
/** Milliseconds: who asks whether it may have the folder alone holds others up for a moment. */
const PATIENCE_MS = 1000;

/** Says that a server works in the folder, which is there. Throws ConfigError while it is moved elsewhere. */
export function useFolder(folder: string): Disposable {
  const lock = take(folder, PATIENCE_MS, (db) => {
    db.exec('BEGIN');
    // Reading takes the lock, and the transaction keeps it.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  });
  if (lock !== undefined) return lock;
  throw new ConfigError(
    `DATA_DIR ${folder} is being moved to another place just now. Start the server when \`npm run move\` has ended.`,
  );
}

/** The folder for oneself; undefined while a server works in it. */
export function useFolderAlone(folder: string): Disposable | undefined {
  return take(folder, 0, (db) => db.exec('BEGIN EXCLUSIVE'));
}

function take(folder: string, timeout: number, lock: (db: DatabaseSync) => void): Disposable | undefined {
  const path = join(folder, FILE);
  makePrivate(path);
  const db = new DatabaseSync(path, { timeout });
  try {
    lock(db);
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => void (db.isOpen && db.close()) };
}
